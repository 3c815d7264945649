"""Leaving positions until they are flat: which exits are due, and with which protection each next one is sent.

An exit takes units off a position that no exit works for yet, so however often it is asked for, and whatever fills,
fails or is reported late, the position never passes zero. One that has not filled in time is followed by another for
its rest, wider protected. After some tries in a row nothing is sent any more: a person has to act. What was tried is
forgotten once the position is flat, and when an operator asks again to close it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import msgspec

from models.messages import ids
from models.messages.orders import OrderFailed, OrderFilled, OrderStatus, PlannedOrder, Product, Side
from models.messages.signals import ExitsDue, Intent, Origin, Signal
from models.messages.ticks import to_units
from trading.accounting.account import position_quantity
from trading.accounting.position import Marks, Position, position_key
from trading.market.instruments import Instrument
from trading.market.sessions import is_open, trading_day
from trading.matching.rules import protection_percent
from trading.orders.rounding import MOST_SLICES, slice_quantity
from trading.orders.withdrawals import is_urgent
from trading.risk.exposure import Exposure, Tries
from trading.risk.square_off import SquareOff

CAUSE = "exit"
REST_SECONDS = 10  # after an exit that was refused, before the next
ROUND_SECONDS = 120  # a try so long after the last one is the first of another round
Find = Callable[[int], Instrument | None]


class Chasing(msgspec.Struct, frozen=True, kw_only=True):
    """What exits are made with: last prices, instruments, the steps of protection, and when intraday ones are due."""

    broker: str
    marks: Marks
    find: Find
    begins: SquareOff
    percents: tuple[Decimal, ...]

    @property
    def most_tries(self) -> int:
        """The first one, with the broker's own protection, and one for each step."""
        return len(self.percents) + 1


def begin_round(exposure: Exposure, revision: int) -> None:
    """An operator asks to close positions: what was tried before counts no more."""
    if revision > exposure.closing:
        exposure.closing = revision
        exposure.exit_tries = {}


def is_due(position: Position, due: ExitsDue, begins: SquareOff) -> bool:
    """Whether a position has to be left."""
    if not position.quantity:
        return False
    if due.closes(position.strategy):
        return True
    if not due.intraday or position.product is not Product.MIS:
        return False
    begin = begins(position.instrument_token, due.clock)
    return begin is not None and due.clock >= begin


def exits_due(exposure: Exposure, due: ExitsDue, chasing: Chasing) -> Iterator[Signal]:
    """The exits to ask for now: of due positions, for units nothing works for, unless they were tried too often."""
    for position in exposure.account.positions.values():
        if not is_due(position, due, chasing.begins):
            continue
        tries = _tries(exposure, position, due, chasing)
        if tries.count >= chasing.most_tries or due.clock < tries.not_before:
            continue
        if not trades(chasing.find(position.instrument_token), due.clock):
            continue
        side = Side.SELL if position.quantity > 0 else Side.BUY
        units = _units(exposure, position, side, due.clock, chasing.find)
        if units:
            cause = f"{CAUSE} {due.revision} {due.clock} {position.product.value}"
            yield _exit(exposure, position, side, units, due, cause, chasing, tries)


def trades(instrument: Instrument | None, second: int) -> bool:
    """Whether an exit could be sent at all in that second."""
    if instrument is None or not instrument.is_tradable or not is_open(instrument, second):
        return False
    return instrument.expiry is None or trading_day(second) <= instrument.expiry


def describe(exposure: Exposure, position: Position, second: int, chasing: Chasing) -> str:
    """One line about a position that is not flat yet."""
    what = f"{position.strategy} holds {position.quantity} {position.instrument} ({position.product.value})"
    tries = exposure.exit_tries.get(position_key(position.strategy, position.instrument, position.product), Tries())
    if tries.count >= chasing.most_tries:
        return f"{what}: {tries.count} exits did not fill, nothing more is sent; a person has to act"
    if not second:
        return f"{what}: the market has said nothing yet"
    if not trades(chasing.find(position.instrument_token), second):
        return f"{what}: it does not trade now"
    return f"{what}: {tries.count} exits did not fill" if tries.count else what


def _tries(exposure: Exposure, position: Position, due: ExitsDue, chasing: Chasing) -> Tries:
    """What was tried; the square-off does not count what was tried before it."""
    key = position_key(position.strategy, position.instrument, position.product)
    tries = exposure.exit_tries.get(key, Tries())
    begin = chasing.begins(position.instrument_token, due.clock) if due.intraday else None
    is_older = begin is not None and tries.last_at < begin <= due.clock
    return Tries() if is_older and not due.closes(position.strategy) else tries


def _units(exposure: Exposure, position: Position, side: Side, clock: int, find: Find) -> int:
    """What an exit may take, no more than may be sent at once."""
    standing, _ = exposure.standings(position.strategy, position.instrument, position.product, clock)
    units = standing.exit_units(side)
    instrument = find(position.instrument_token)
    if instrument is None or instrument.lot_size <= 0:
        return units
    slices = slice_quantity(units, instrument.lot_size, instrument.freeze_quantity)
    return sum(slices[:MOST_SLICES]) or units


def follow_up(exposure: Exposure, failed: OrderFailed, chasing: Chasing, *, run_id: str) -> Signal | None:
    """The exit that follows one that was cancelled because it had not filled in time; None when there is none."""
    order, rest = failed.order, failed.order.quantity - failed.filled_quantity
    key = position_key(order.strategy, order.instrument, order.product)
    tries = exposure.exit_tries.get(key)
    position = exposure.account.positions.get(key)
    if not failed.is_overdue or rest <= 0 or tries is None or tries.count >= chasing.most_tries or position is None:
        return None
    after = max(failed.event_time, order.event_time) + 1  # in that second itself the order counts as working
    due = ExitsDue(account=order.account, run_id=run_id or order.run_id, clock=after)
    return _exit(exposure, position, order.side, rest, due, f"{CAUSE} after {order.order_id}", chasing, tries)


def _exit(
    exposure: Exposure,
    position: Position,
    side: Side,
    units: int,
    due: ExitsDue,
    cause: str,
    chasing: Chasing,
    tries: Tries,
) -> Signal:
    token = position.instrument_token
    return Signal(
        signal_id=ids.signal_id(due.run_id, position.strategy, chasing.broker, token, cause, 0),
        account=exposure.account.account,
        strategy=position.strategy,
        instrument=position.instrument,
        instrument_token=token,
        intent=Intent.REDUCE,
        side=side,
        quantity=units,
        product=position.product,
        market_protection=tries.protection,
        reason=f"the position is being closed, try {tries.count + 1} of {chasing.most_tries}",
        origin=Origin(
            run_id=due.run_id,
            frame_id=CAUSE,
            instrument_token=token,
            tick_sequence=0,
            event_time=due.clock,
            clock=due.clock,
            price=_price(position, chasing.marks),
            received_ns=0,
        ),
    )


def _price(position: Position, marks: Marks) -> Decimal:
    """The last price that is known, else what the position cost."""
    last = marks.get(position.instrument, position.mark)
    return position.average_price if last is None else last


def note_failed(exposure: Exposure, failed: OrderFailed, chasing: Chasing) -> bool:
    """Count an exit at the market that did not fill; True when it was the last one that is tried.

    What we refused ourselves has not been tried. A part that filled at the widest protection lets it go on.
    """
    order, most = failed.order, chasing.most_tries
    if not is_urgent(order):
        return False
    key = position_key(order.strategy, order.instrument, order.product)
    at = max(failed.event_time, order.event_time)
    before = exposure.exit_tries.get(key, Tries())
    begun = 0 if at - before.last_at > ROUND_SECONDS else before.count
    count = begun
    goes_on = failed.filled_quantity > 0 and count >= most - 1
    if failed.outcome is not OrderStatus.DENIED_LATE and not goes_on:
        count += 1
    protection = wider(order, exposure, chasing) if failed.is_overdue else order.market_protection
    not_before = 0 if failed.is_overdue else at + REST_SECONDS
    exposure.exit_tries[key] = Tries(count, max(at, before.last_at), not_before, protection)
    return count >= most > begun


def wider(order: PlannedOrder, exposure: Exposure, chasing: Chasing) -> Decimal:
    """The first step of protection beyond what the order had; the last one when there is none."""
    key = position_key(order.strategy, order.instrument, order.product)
    position = exposure.account.positions.get(key)
    price = Decimal(0) if position is None else _price(position, chasing.marks)
    had = protection_percent(order, to_units(price))
    return next((step for step in sorted(chasing.percents) if step > had), max(chasing.percents))


def note_filled(exposure: Exposure, filled: OrderFilled) -> None:
    """Forget what was tried once a position is flat."""
    order = filled.order
    if exposure.exit_tries and not position_quantity(exposure.account, order.strategy, order.instrument, order.product):
        exposure.exit_tries.pop(position_key(order.strategy, order.instrument, order.product), None)
