"""What an account has at stake: positions, orders that may still fill, and the day's counts.

Reserved with each accepted order, released exactly once, by fills and by the order's end, in whatever order those
arrive and however often. Two may race: a limit entry that fills, or an order that ends, in the very second in which a
signal is raised. Such a signal is decided as if it had come first, whatever arrived first (`at`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import msgspec

from models.messages.orders import OrderFailed, OrderFilled, OrderType, Product, Side
from models.messages.signals import AcceptedSignal
from trading.accounting.account import Account, equity, position_quantity, prune_orders, value
from trading.accounting.account import apply_fill as book_fill
from trading.market.instruments import Instrument

RECENT_SECONDS = 5


class OpenOrder(msgspec.Struct, kw_only=True):
    """An order that may still fill. `reserve_price` values it for exposure, rupees; a limit order may never fill."""

    strategy: str
    instrument: str
    product: Product = Product.MIS
    side: Side
    remaining: int
    reserve_price: Decimal
    reduces: bool = False
    is_limit: bool = False


class Change(msgspec.Struct, kw_only=True):
    """What a fill or an end at event second `at` did to a strategy's sizing; units are signed.

    `filled` units of a limit entry have become certain; `released` units are not projected any more, and not certain
    either when `was_certain`.
    """

    strategy: str
    instrument: str
    product: Product
    at: int
    filled: int = 0
    released: int = 0
    was_certain: bool = False


class Exposure(msgspec.Struct, kw_only=True):
    """State of one account.

    `day` is an ISO date; `last_accepted` is by `strategy|instrument|side`, event seconds; `recent` holds the changes
    of the last seconds.
    """

    account: Account
    open_orders: dict[str, OpenOrder] = {}
    day: str = ""
    trades_today: int = 0
    day_start_equity: Decimal = Decimal(0)
    last_accepted: dict[str, int] = {}
    recent: list[Change] = []

    def projected(
        self, strategy: str, instrument: str, product: Product | None = None, *, at: int | None = None
    ) -> int:
        """The strategy's position once everything working has filled: what entries are sized from.

        Of one product, or of all; with `at`, before anything that happened in that event second or later.
        """
        released = sum(change.released for change in self._since(strategy, instrument, product, at))
        return self._position(strategy, instrument, product, with_limit_entries=True) + released

    def certain(self, strategy: str, instrument: str, product: Product | None = None, *, at: int | None = None) -> int:
        """The same without limit entries, which may never fill: the most an exit may be sized from."""
        changes = self._since(strategy, instrument, product, at)
        undone = sum((change.released if change.was_certain else 0) - change.filled for change in changes)
        return self._position(strategy, instrument, product, with_limit_entries=False) + undone

    def _since(self, strategy: str, instrument: str, product: Product | None, at: int | None) -> list[Change]:
        if at is None:
            return []
        return [
            change
            for change in self.recent
            if change.at >= at and change.strategy == strategy and change.instrument == instrument
            if product in (None, change.product)
        ]

    def _position(self, strategy: str, instrument: str, product: Product | None, *, with_limit_entries: bool) -> int:
        working = sum(
            order.side.sign * order.remaining
            for order in self.open_orders.values()
            if order.strategy == strategy and order.instrument == instrument and product in (None, order.product)
            if with_limit_entries or order.reduces or not order.is_limit
        )
        return position_quantity(self.account, strategy, instrument, product) + working

    def gross(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Absolute value of all positions and open orders, rupees."""
        held = sum((abs(value(one, marks)) for one in self.account.positions.values() if one.quantity), Decimal(0))
        entries = (order for order in self.open_orders.values() if not order.reduces)
        return held + sum((order.remaining * order.reserve_price for order in entries), Decimal(0))

    def day_loss(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Rupees lost since the day began, charges included; negative for a gain."""
        return self.day_start_equity - equity(self.account, marks)


def accepted_key(strategy: str, instrument: str, side: Side) -> str:
    """Key of `last_accepted`."""
    return f"{strategy}|{instrument}|{side.value}"


def reserve(exposure: Exposure, accepted: AcceptedSignal) -> None:
    """Count an accepted signal's orders as open."""
    for order in accepted.orders:
        exposure.open_orders[order.order_id] = OpenOrder(
            strategy=order.strategy,
            instrument=order.instrument,
            product=order.product,
            side=order.side,
            remaining=order.quantity,
            reserve_price=order.limit_price or accepted.origin.price,
            reduces=order.reduces,
            is_limit=order.order_type is not OrderType.MARKET,
        )
        exposure.last_accepted[accepted_key(order.strategy, order.instrument, order.side)] = order.event_time
    exposure.trades_today += len(accepted.orders)


def apply_fill(exposure: Exposure, filled: OrderFilled, instrument: Instrument) -> None:
    """Turn reserved exposure into a position. A repeat changes nothing, as far as the account's books recognise it."""
    if not book_fill(exposure.account, filled, instrument):
        return
    order = exposure.open_orders.get(filled.order.order_id)
    if order is None:
        return
    if order.is_limit and not order.reduces:
        change = _change(order, filled.event_time, filled=order.side.sign * filled.quantity)
        _remember(exposure, change)
    order.remaining = filled.order.quantity - filled.cumulative_quantity
    if order.remaining <= 0:
        del exposure.open_orders[filled.order.order_id]


def apply_failed(exposure: Exposure, failed: OrderFailed) -> None:
    """Release what an order that will not fill further had reserved. A repeat changes nothing."""
    order = exposure.open_orders.pop(failed.order.order_id, None)
    if order is not None:
        change = _change(order, failed.event_time, released=order.side.sign * order.remaining)
        change.was_certain = order.reduces or not order.is_limit
        _remember(exposure, change)


def _change(order: OpenOrder, at: int, *, filled: int = 0, released: int = 0) -> Change:
    return Change(
        strategy=order.strategy,
        instrument=order.instrument,
        product=order.product,
        at=at,
        filled=filled,
        released=released,
    )


def _remember(exposure: Exposure, change: Change) -> None:
    newest = max([change.at, *(one.at for one in exposure.recent)])
    exposure.recent = [one for one in [*exposure.recent, change] if one.at > newest - RECENT_SECONDS]


def roll_day(exposure: Exposure, day: date, marks: Mapping[str, Decimal]) -> None:
    """Begin a trading day: counts start again, and loss is measured from the equity now."""
    exposure.day = day.isoformat()
    exposure.trades_today = 0
    exposure.last_accepted = {}
    exposure.recent = []
    prune_orders(exposure.account, day)
    exposure.day_start_equity = equity(exposure.account, marks)
