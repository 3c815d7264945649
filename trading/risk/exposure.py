"""What an account has at stake: positions, orders that may still fill, and what was accepted lately.

Reserved with each accepted order, released exactly once, by fills and by the order's end, in whatever order those
arrive and however often. They may race with a signal: one raised in the very second in which an order fills or ends is
decided as if it had come first, whichever message arrives first (`at`).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec

from models.messages.orders import AUTOMATIC_PROTECTION, OrderFailed, OrderFilled, Product, Side
from models.messages.signals import AcceptedSignal, Signal
from trading.accounting.account import Account, position_quantity
from trading.accounting.account import apply_fill as book_fill
from trading.accounting.contracts import Contract, contract_of
from trading.accounting.day import DayEnd
from trading.accounting.day import roll_day as roll_account
from trading.accounting.position import position_key
from trading.market.instruments import Instrument
from trading.market.sessions import trading_day
from trading.risk.limits import MOST_RATE_SECONDS

RECENT_SECONDS = 5
OTHERS = {product: tuple(other for other in Product if other is not product) for product in Product}


class OpenOrder(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An order that may still fill. `reserve_price` values it for exposure, rupees.

    `has_ended` when it will not, but fills of it that are known to have happened have not arrived yet.
    """

    strategy: str
    instrument: str
    product: Product
    side: Side
    remaining: int
    reserve_price: Decimal
    reduces: bool = False
    contract: Contract | None = None
    has_ended: bool = False


class Tries(msgspec.Struct, frozen=True):
    """Exits of a position at the market that did not fill, in a row; the last one in event second `last_at`.

    The next one is not asked for before `not_before`, and is sent with `protection` (percent, -1 for automatic).
    """

    count: int = 0
    last_at: int = 0
    not_before: int = 0
    protection: Decimal = AUTOMATIC_PROTECTION


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Units of an order that filled, or were released when it ended, in event second `at`."""

    strategy: str
    instrument: str
    product: Product
    side: Side
    at: int
    filled: int
    released: int


class Standing(msgspec.Struct, frozen=True, gc=False):
    """A strategy's units of an instrument: held (negative for short), and what buys and sells may still add to them."""

    held: int
    buys: int
    sells: int

    @property
    def projected(self) -> int:
        """The position once everything working has filled."""
        return self.held + self.buys - self.sells

    def working(self, side: Side) -> int:
        """Units of the orders of that side."""
        return self.buys if side is Side.BUY else self.sells

    def extreme(self, side: Side) -> int:
        """The position when everything that works on that side fills, and nothing on the other."""
        return self.held + side.sign * self.working(side)

    def exit_units(self, side: Side) -> int:
        """Units an order of that side can take off the position and never pass zero, whatever fills or fails."""
        return max(0, -side.sign * self.extreme(side))


class Exposure(msgspec.Struct, kw_only=True):
    """State of one account.

    By event seconds: `last_accepted` under `strategy|instrument|side`, and in `accepted_at`, the oldest first, the
    orders accepted by strategy. `accepted_today` counts a strategy's orders, `bracket_exits` the units that stops and
    targets of entries, sent today, have taken off a position (by its key). `recent` holds the changes of the last
    seconds, `waiting` the signals of groups whose other legs have not come yet. `differences` counts, by instrument and
    under the empty name for the account, in what it differs from its broker's books so that entries have to wait.
    `exit_tries` counts, by position key,
    exits that did not fill, `closing` is the newest wish of an operator to close positions (its revision).
    """

    account: Account
    open_orders: dict[str, OpenOrder] = {}
    accepted_today: dict[str, int] = {}
    accepted_at: dict[int, dict[str, int]] = {}
    last_accepted: dict[str, int] = {}
    bracket_exits: dict[str, int] = {}
    recent: list[Change] = []
    waiting: dict[str, list[Signal]] = {}
    differences: dict[str, int] = {}
    exit_tries: dict[str, Tries] = {}
    closing: int = 0

    @property
    def day(self) -> str:
        """The trading day it is in, as an ISO date; empty before the first event."""
        return self.account.day

    def differences_of(self, instrument: str) -> int:
        """How many differences an entry in an instrument waits for."""
        return self.differences.get("", 0) + self.differences.get(instrument, 0)

    def standings(self, strategy: str, instrument: str, product: Product, at: int) -> tuple[Standing, Standing]:
        """Of one product, before anything that happened in event second `at` or later, and of all products now."""
        held = held_everywhere = position_quantity(self.account, strategy, instrument, product)
        for other in OTHERS[product]:
            held_everywhere += position_quantity(self.account, strategy, instrument, other)
        buys = sells = all_buys = all_sells = 0
        for order in self.open_orders.values():
            if order.instrument != instrument or order.strategy != strategy:
                continue
            is_here = order.product is product
            if order.side is Side.BUY:
                all_buys += order.remaining
                buys += order.remaining if is_here else 0
            else:
                all_sells += order.remaining
                sells += order.remaining if is_here else 0
        everywhere = Standing(held_everywhere, all_buys, all_sells)
        for change in self.recent:
            if change.at < at or change.instrument != instrument or change.strategy != strategy:
                continue
            if change.product is product:
                held -= change.side.sign * change.filled
                if change.side is Side.BUY:
                    buys += change.filled + change.released
                else:
                    sells += change.filled + change.released
        return Standing(held, buys, sells), everywhere

    def orders_within(self, seconds: int, clock: int, strategy: str | None = None) -> int:
        """Orders accepted in the last `seconds` before `clock`, and after it, of one strategy or of all."""
        count = 0
        for second, orders in reversed(self.accepted_at.items()):
            if second <= clock - seconds:
                break
            count += sum(orders.values()) if strategy is None else orders.get(strategy, 0)
        return count


def accepted_key(strategy: str, instrument: str, side: Side) -> str:
    """Key of `last_accepted`."""
    return f"{strategy}|{instrument}|{side.value}"


def reserve(exposure: Exposure, accepted: AcceptedSignal, instrument: Instrument) -> None:
    """Count an accepted signal's orders as open."""
    contract = contract_of(instrument)
    for order in accepted.orders:
        exposure.open_orders[order.order_id] = OpenOrder(
            strategy=order.strategy,
            instrument=order.instrument,
            product=order.product,
            side=order.side,
            remaining=order.quantity,
            reserve_price=order.limit_price or order.trigger_price or accepted.origin.price,
            reduces=order.reduces,
            contract=contract,
        )
        exposure.last_accepted[accepted_key(order.strategy, order.instrument, order.side)] = order.event_time
    count = len(accepted.orders)
    exposure.accepted_today[accepted.strategy] = exposure.accepted_today.get(accepted.strategy, 0) + count
    _count_rate(exposure, accepted.strategy, accepted.origin.clock, count)


def _count_rate(exposure: Exposure, strategy: str, second: int, count: int) -> None:
    """Seconds stay in their order, the oldest first; signals may be decided in another."""
    found = exposure.accepted_at
    is_late = bool(found) and second < next(reversed(found))
    orders = found.setdefault(second, {})
    orders[strategy] = orders.get(strategy, 0) + count
    if is_late:
        found = exposure.accepted_at = dict(sorted(found.items()))
    while (oldest := next(iter(found))) <= next(reversed(found)) - MOST_RATE_SECONDS:
        del found[oldest]


def apply_fill(exposure: Exposure, filled: OrderFilled, instrument: Instrument) -> None:
    """Turn reserved exposure into a position. A repeat, as far as the account's books recognise it, changes nothing."""
    planned = filled.order
    whose = planned.strategy, planned.instrument, planned.product
    before = position_quantity(exposure.account, *whose)
    if not book_fill(exposure.account, filled, instrument):
        return
    units = abs(position_quantity(exposure.account, *whose) - before)
    if planned.oco_group and trading_day(planned.event_time).isoformat() == exposure.day:
        key = position_key(*whose)
        exposure.bracket_exits[key] = exposure.bracket_exits.get(key, 0) + units
    order = exposure.open_orders.get(planned.order_id)
    if order is None:
        return
    _release(exposure, planned.order_id, order, units)
    _remember(exposure, _change(order, filled.event_time, filled=units))


def apply_failed(exposure: Exposure, failed: OrderFailed) -> None:
    """Release what of an order will not fill. A repeat changes nothing."""
    order = exposure.open_orders.get(failed.order.order_id)
    if order is None or order.has_ended:
        return
    order.has_ended = True
    units = min(order.remaining, failed.order.quantity - failed.filled_quantity)
    _release(exposure, failed.order.order_id, order, units)
    _remember(exposure, _change(order, failed.event_time, released=units))


def _release(exposure: Exposure, order_id: str, order: OpenOrder, units: int) -> None:
    order.remaining -= units
    if order.remaining <= 0:
        del exposure.open_orders[order_id]


def _change(order: OpenOrder, at: int, *, filled: int = 0, released: int = 0) -> Change:
    return Change(
        strategy=order.strategy,
        instrument=order.instrument,
        product=order.product,
        side=order.side,
        at=at,
        filled=filled,
        released=released,
    )


def _remember(exposure: Exposure, change: Change) -> None:
    newest = max([change.at, *(one.at for one in exposure.recent)])
    exposure.recent = [one for one in [*exposure.recent, change] if one.at > newest - RECENT_SECONDS]


def roll_day(exposure: Exposure, day: date, ended: DayEnd | None = None) -> bool:
    """Begin a trading day: counts start again, the account's books are rolled. False when it has begun already."""
    if not roll_account(exposure.account, day, ended):
        return False
    exposure.accepted_today = {}
    exposure.accepted_at = {}
    exposure.last_accepted = {}
    exposure.bracket_exits = {}
    exposure.recent = []
    exposure.waiting = {}
    exposure.exit_tries = {}
    exposure.open_orders = {name: one for name, one in exposure.open_orders.items() if not one.has_ended}
    return True
