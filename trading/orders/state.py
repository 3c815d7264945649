"""The order state machine: broker reports, pushed or polled, in any order, repeated or missing, give one final state.

Quantities decide, not statuses: filled quantity only rises, and every rise is a fill whatever the status says, also
after a terminal one (Kite has sent a partial fill after COMPLETE, and cancelled orders have fills). A terminal
status is absorbing. `TABLE` says what each report makes of each state; docs/order_states.md shows it.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from models.messages import ids
from models.messages.orders import (
    OrderAcknowledged,
    OrderFailed,
    OrderFilled,
    OrderStatus,
    OrderUpdate,
    PlannedOrder,
)
from trading.orders.brackets import Bracket

S = OrderStatus
MICRO = Decimal("0.000001")
_WORKS_ON = frozenset({S.SUBMITTED, S.UNKNOWN, S.WORKING})


class Action(StrEnum):
    """What a step tells others; fills are told whatever the step."""

    ACKNOWLEDGE = "acknowledge"  # the broker has the order
    FAIL = "fail"  # it will not fill further


class Step(msgspec.Struct, frozen=True):
    """The state an order goes to, and what is told."""

    state: OrderStatus
    actions: tuple[Action, ...] = ()


_ACK, _FAIL = Action.ACKNOWLEDGE, Action.FAIL
_ENDS = {
    S.CANCELLED: Step(S.CANCELLED, (_FAIL,)),
    S.REJECTED: Step(S.REJECTED, (_FAIL,)),
    S.EXPIRED: Step(S.EXPIRED, (_FAIL,)),
}
_FIRST_WORD = {
    S.WORKING: Step(S.WORKING, (_ACK,)),
    S.PARTIALLY_FILLED: Step(S.PARTIALLY_FILLED, (_ACK,)),
    S.FILLED: Step(S.FILLED, (_ACK,)),
    S.CANCELLED: Step(S.CANCELLED, (_ACK, _FAIL)),
    S.EXPIRED: Step(S.EXPIRED, (_ACK, _FAIL)),
    S.REJECTED: Step(S.REJECTED, (_FAIL,)),
}
# By state, then by what a report tells once its quantities are taken into account; what is not here changes nothing.
TABLE: dict[OrderStatus, dict[OrderStatus, Step]] = {
    S.SUBMITTED: {**_FIRST_WORD, S.UNKNOWN: Step(S.UNKNOWN), S.DENIED_LATE: Step(S.DENIED_LATE, (_FAIL,))},
    S.UNKNOWN: _FIRST_WORD,
    S.WORKING: {**_ENDS, S.PARTIALLY_FILLED: Step(S.PARTIALLY_FILLED), S.FILLED: Step(S.FILLED)},
    S.PARTIALLY_FILLED: {**_ENDS, S.FILLED: Step(S.FILLED)},
    S.FILLED: {},
    S.CANCELLED: {},
    S.REJECTED: {},
    S.EXPIRED: {},
    S.DENIED_LATE: {},
}


class AlarmKind(StrEnum):
    """What is wrong with an order."""

    OVERFILL = "overfill"  # more than was ordered
    FILLED_SHORT = "filled_short"  # filled in full, it says, with less than was ordered
    NO_PRICE = "no_price"  # a fill at no price
    RISEN = "risen"  # works at the broker although it was given up as never taken
    UNPROTECTED = "unprotected"  # a position's exits fail again and again
    TRIGGER_UNSEEN = "trigger_unseen"  # a trigger's order is of another day, and cannot be followed any more
    TRIGGER_STANDS = "trigger_stands"  # an exit goes out beside a trigger at the exchange


class Alarm(msgspec.Struct, frozen=True):
    """Something somebody has to look at. A report that contradicts its order is taken into account all the same."""

    kind: AlarmKind
    message: str


class OrderRecord(msgspec.Struct, kw_only=True):
    """Where one order stands. `average_price` is over the filled quantity, rupees.

    `held` orders wait, unsent, until exits of their position that are on their way have ended; then they are sent as if
    at event second `not_before`, after their instrument's tick `after_sequence`. An entry that brings its own exits has
    a `bracket`. `cancel_wanted` when its rest is to be cancelled, `is_overdue` when that is for not filling in time.
    Of a live broker, by the wall clock: since `attempted_at` the order may be there, it is never sent again.
    """

    order: PlannedOrder
    status: OrderStatus = S.SUBMITTED
    broker_order_id: str = ""
    filled_quantity: int = 0
    average_price: Decimal = Decimal(0)
    acknowledged: bool = False
    updated_at: int = 0
    reason: str = ""
    held: bool = False
    not_before: int = 0
    after_sequence: int = 0
    bracket: Bracket | None = None
    attempted_at: int = 0
    cancel_wanted: bool = False
    is_overdue: bool = False

    @property
    def is_open(self) -> bool:
        """True while the order may still fill."""
        return not self.status.is_terminal


class Folded(msgspec.Struct, kw_only=True):
    """What one report changed."""

    record: OrderRecord
    acknowledged: OrderAcknowledged | None = None
    fills: list[OrderFilled] = []
    failed: OrderFailed | None = None
    alarms: tuple[Alarm, ...] = ()
    is_repeat: bool = False


def submitted(order: PlannedOrder) -> OrderRecord:
    """The record of an order whose intent is durable."""
    return OrderRecord(order=order, updated_at=order.event_time)


def fold(record: OrderRecord, update: OrderUpdate) -> Folded:
    """Take one report into account. Pure: `record` is not changed."""
    after = OrderRecord(
        order=record.order,
        status=record.status,
        broker_order_id=record.broker_order_id or update.broker_order_id,
        filled_quantity=record.filled_quantity,
        average_price=record.average_price,
        acknowledged=record.acknowledged,
        updated_at=max(record.updated_at, update.event_time),
        reason=record.reason,
        held=record.held,
        not_before=record.not_before,
        after_sequence=record.after_sequence,
        bracket=record.bracket,
        attempted_at=record.attempted_at,
        cancel_wanted=record.cancel_wanted,
        is_overdue=record.is_overdue,
    )
    folded = Folded(record=after)
    _fill(folded, record, update)
    _move(folded, update)
    folded.is_repeat = not (folded.acknowledged or folded.fills or folded.failed) and after.status is record.status
    return folded


def _fill(folded: Folded, before: OrderRecord, update: OrderUpdate) -> None:
    after, order = folded.record, before.order
    increment = update.cumulative_quantity - before.filled_quantity
    if increment <= 0:
        return
    if update.cumulative_quantity > order.quantity:
        _alarm(
            folded,
            AlarmKind.OVERFILL,
            f"Filled {update.cumulative_quantity} of {order.quantity}: more than was ordered",
        )
    price = _increment_price(before, update, increment)
    if price <= 0:
        _alarm(folded, AlarmKind.NO_PRICE, f"Filled at a price of {price}")
    after.filled_quantity = update.cumulative_quantity
    after.average_price = update.average_price
    folded.fills = [
        OrderFilled(
            fill_id=ids.fill_id(order.order_id, update.cumulative_quantity),
            order=order,
            broker_order_id=after.broker_order_id,
            quantity=increment,
            price=price,
            cumulative_quantity=update.cumulative_quantity,
            average_price=update.average_price,
            complete=update.cumulative_quantity >= order.quantity,
            event_time=update.event_time,
        )
    ]


def _alarm(folded: Folded, kind: AlarmKind, message: str) -> None:
    folded.alarms = (*folded.alarms, Alarm(kind, message))


def _increment_price(before: OrderRecord, update: OrderUpdate, increment: int) -> Decimal:
    if update.fill_price is not None and update.fill_quantity == increment:
        return update.fill_price
    turnover = update.average_price * update.cumulative_quantity
    return ((turnover - before.average_price * before.filled_quantity) / increment).quantize(MICRO)


def _move(folded: Folded, update: OrderUpdate) -> None:
    after = folded.record
    told = _told(after, update.status)
    if update.status is S.FILLED and told is not S.FILLED:
        message = f"Reported as filled with {update.cumulative_quantity} of {after.order.quantity}"
        _alarm(folded, AlarmKind.FILLED_SHORT, message)
    step = TABLE[after.status].get(told)
    if step is None:
        return
    after.status = step.state
    if Action.ACKNOWLEDGE in step.actions:
        after.acknowledged = True
        folded.acknowledged = OrderAcknowledged(
            order_id=after.order.order_id,
            signal_id=after.order.signal_id,
            account=after.order.account,
            broker_order_id=after.broker_order_id,
            event_time=update.event_time,
        )
    if Action.FAIL in step.actions:
        after.reason = update.reason
        folded.failed = failure(after, update.event_time)


def failure(record: OrderRecord, at: int) -> OrderFailed:
    """That an order will not fill further, as it stands."""
    return OrderFailed(
        order=record.order,
        broker_order_id=record.broker_order_id,
        outcome=record.status,
        filled_quantity=record.filled_quantity,
        reason=record.reason,
        event_time=at,
        is_overdue=record.is_overdue and record.status is S.CANCELLED,
    )


def _told(after: OrderRecord, status: OrderStatus) -> OrderStatus:
    """The status by the quantities: with a rest to fill an order is not filled, with a fill it is not untouched."""
    if after.filled_quantity >= after.order.quantity:
        return S.FILLED
    if status is S.FILLED:
        return S.PARTIALLY_FILLED if after.filled_quantity else S.WORKING
    return S.PARTIALLY_FILLED if after.filled_quantity and status in _WORKS_ON else status
