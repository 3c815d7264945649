"""The order state machine: broker reports, pushed or polled, in any order, repeated or missing, give one final state.

Quantities decide, not statuses: filled quantity only rises, and every rise is a fill whatever the status says, also
after a terminal one (Kite has sent a partial fill after COMPLETE, and cancelled orders have fills). A terminal
status is absorbing. `TRANSITIONS` says which status follows which.
"""

from __future__ import annotations

from decimal import Decimal

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

S = OrderStatus
_ENDS = frozenset({S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED})
_WORKS_ON = frozenset({S.SUBMITTED, S.UNKNOWN, S.WORKING})
_NEVER_TAKEN = frozenset({S.SUBMITTED, S.UNKNOWN, S.REJECTED, S.DENIED_LATE})
TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    S.SUBMITTED: frozenset({S.UNKNOWN, S.WORKING, S.PARTIALLY_FILLED, S.DENIED_LATE}) | _ENDS,
    S.UNKNOWN: frozenset({S.WORKING, S.PARTIALLY_FILLED}) | _ENDS,
    S.WORKING: frozenset({S.PARTIALLY_FILLED}) | _ENDS,
    S.PARTIALLY_FILLED: _ENDS,
    S.FILLED: frozenset(),
    S.CANCELLED: frozenset(),
    S.REJECTED: frozenset(),
    S.EXPIRED: frozenset(),
    S.DENIED_LATE: frozenset(),
}


class OrderRecord(msgspec.Struct, kw_only=True):
    """Where one order stands. `average_price` is over the filled quantity, rupees."""

    order: PlannedOrder
    status: OrderStatus = S.SUBMITTED
    broker_order_id: str = ""
    filled_quantity: int = 0
    average_price: Decimal = Decimal(0)
    acknowledged: bool = False
    updated_at: int = 0
    reason: str = ""


class Folded(msgspec.Struct, kw_only=True):
    """What one report changed. `alarm` is set when it contradicts the order."""

    record: OrderRecord
    acknowledged: OrderAcknowledged | None = None
    fills: list[OrderFilled] = []
    failed: OrderFailed | None = None
    alarm: str | None = None
    is_repeat: bool = False


def submitted(order: PlannedOrder) -> OrderRecord:
    """The record of an order whose intent is durable."""
    return OrderRecord(order=order, updated_at=order.event_time)


def fold(record: OrderRecord, update: OrderUpdate) -> Folded:
    """Take one report into account. Pure: `record` is not changed."""
    after = msgspec.structs.replace(record)
    folded = Folded(record=after)
    after.broker_order_id = after.broker_order_id or update.broker_order_id
    after.updated_at = max(after.updated_at, update.event_time)
    if not record.status.is_terminal:
        _acknowledge(folded, update)
    _fill(folded, record, update)
    _move(folded, record, update)
    folded.is_repeat = not (folded.acknowledged or folded.fills or folded.failed) and after.status is record.status
    return folded


def _acknowledge(folded: Folded, update: OrderUpdate) -> None:
    after = folded.record
    if after.acknowledged or update.status in _NEVER_TAKEN:
        return
    after.acknowledged = True
    folded.acknowledged = OrderAcknowledged(
        order_id=after.order.order_id,
        signal_id=after.order.signal_id,
        account=after.order.account,
        broker_order_id=after.broker_order_id,
        event_time=update.event_time,
    )


def _fill(folded: Folded, before: OrderRecord, update: OrderUpdate) -> None:
    after, order = folded.record, before.order
    increment = update.cumulative_quantity - before.filled_quantity
    if increment <= 0:
        return
    if update.cumulative_quantity > order.quantity:
        folded.alarm = f"Filled {update.cumulative_quantity} of {order.quantity}: more than was ordered"
    price = _increment_price(before, update, increment)
    if price <= 0:
        folded.alarm = f"Filled at a price of {price}"
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
            complete=update.cumulative_quantity >= order.quantity,
            event_time=update.event_time,
        )
    ]


def _increment_price(before: OrderRecord, update: OrderUpdate, increment: int) -> Decimal:
    if update.fill_price is not None and update.fill_quantity == increment:
        return update.fill_price
    turnover = update.average_price * update.cumulative_quantity
    return ((turnover - before.average_price * before.filled_quantity) / increment).quantize(Decimal("0.000001"))


def _move(folded: Folded, before: OrderRecord, update: OrderUpdate) -> None:
    after, order = folded.record, before.order
    target = _target(after, update.status)
    if update.status is S.FILLED and target is not S.FILLED:
        folded.alarm = f"Reported as filled with {update.cumulative_quantity} of {order.quantity}"
    if target not in TRANSITIONS[before.status]:
        return
    after.status = target
    if target.is_terminal and target is not S.FILLED:
        after.reason = update.reason
        folded.failed = OrderFailed(
            order=order,
            broker_order_id=after.broker_order_id,
            outcome=target,
            filled_quantity=after.filled_quantity,
            reason=update.reason,
            event_time=update.event_time,
        )


def _target(after: OrderRecord, status: OrderStatus) -> OrderStatus:
    """The status by the quantities: with a rest to fill an order is not filled, with a fill it is not untouched."""
    if after.filled_quantity >= after.order.quantity:
        return S.FILLED
    if status is S.FILLED:
        return S.PARTIALLY_FILLED if after.filled_quantity else S.WORKING
    return S.PARTIALLY_FILLED if after.filled_quantity and status in _WORKS_ON else status
