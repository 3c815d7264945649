"""Which working orders are taken back: those in the way of leaving a position, and exits that found no market in time.

Exits of brackets are not looked at: a strategy's own exit takes their units from them, and they have a deadline of
their own (`brackets`).
"""

from __future__ import annotations

import msgspec

from models.messages.orders import OrderType, PlannedOrder
from trading.orders.state import OrderRecord

IN_THE_WAY = "The position is being closed"


class Withdrawal(msgspec.Struct, frozen=True):
    """That an order is to be cancelled, and why."""

    reason: str
    is_overdue: bool = False


def withdrawal(record: OrderRecord, *, leaves: bool, waited_seconds: int, deadline_seconds: int) -> Withdrawal | None:
    """Whether a working order is to be taken back. Pure; raises nothing.

    `leaves` when its position is to be left. It has been at the exchange for `waited_seconds`, 0 when it is not there.
    """
    if not record.is_open or record.cancel_wanted:
        return None
    if leaves and is_in_the_way(record.order):
        return Withdrawal(IN_THE_WAY)
    if is_urgent(record.order) and waited_seconds >= deadline_seconds:
        reason = f"Not filled within {deadline_seconds} s: it is priced again"
        return Withdrawal(reason, is_overdue=True)
    return None


def is_in_the_way(order: PlannedOrder) -> bool:
    """True for entries, and for exits that rest: while they work, nothing else may leave their units."""
    return not order.reduces or (order.order_type is not OrderType.MARKET and not order.oco_group)


def is_urgent(order: PlannedOrder) -> bool:
    """True for exits at the market. Kite makes limit orders of them, which may rest unfilled."""
    return order.reduces and order.order_type is OrderType.MARKET and not order.oco_group
