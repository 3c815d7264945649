"""What has been booked of each order, so that a repeated fill changes nothing, in whatever order fills arrive.

A fill covers the units from its order's cumulative quantity before it to the one after it. An order filled in full
shrinks to a 64-bit key and its quantity.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from functools import lru_cache

import msgspec

ZERO = Decimal(0)


class OrderTurnover(msgspec.Struct, omit_defaults=True):
    """Booked of one order: units 0 to `cumulative_quantity`, and `ahead` the (from, to) that came out of turn.

    `turnover` and `charged` in rupees; `day` is an ISO date.
    """

    cumulative_quantity: int = 0
    turnover: Decimal = ZERO
    charged: Decimal = ZERO
    day: str = ""
    ahead: list[tuple[int, int]] = []


Orders = dict[str, OrderTurnover]  # orders that may still fill, by id
Finished = dict[str, dict[int, int]]  # quantities of those filled in full, by day and key


@lru_cache(maxsize=64)
def order_key(order_id: str) -> int:
    """64 bits that stand for an order."""
    return int.from_bytes(hashlib.blake2b(order_id.encode(), digest_size=8).digest(), "big")


def recall(orders: Orders, finished: Finished, order_id: str) -> OrderTurnover:
    """What has been booked of an order; one that fills beyond its quantity goes on from there."""
    found = orders.get(order_id)
    if found is None:
        key = order_key(order_id)
        found = OrderTurnover(max((day.get(key, 0) for day in finished.values()), default=0))
    return found


def remember(orders: Orders, finished: Finished, order_id: str, order: OrderTurnover, quantity: int) -> None:
    """Keep an order after a fill; `quantity` is what it was placed for."""
    if order.ahead or order.cumulative_quantity < quantity:
        orders[order_id] = order
        return
    orders.pop(order_id, None)
    finished.setdefault(order.day, {})[order_key(order_id)] = order.cumulative_quantity


def book_units(order: OrderTurnover, start: int, end: int) -> int:
    """Book the units from `start` to `end`; returns how many of them had not been booked."""
    if start == order.cumulative_quantity and not order.ahead:  # in turn, as nearly always
        order.cumulative_quantity = max(start, end)
        return order.cumulative_quantity - start
    spans = [(0, order.cumulative_quantity), *order.ahead]
    new = end - start - sum(max(min(end, last) - max(start, first), 0) for first, last in spans)
    if new:
        merged = [(0, 0)]
        for first, last in sorted([*spans, (start, end)]):
            if first <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(merged[-1][1], last)
            else:
                merged.append((first, last))
        order.cumulative_quantity, order.ahead = merged[0][1], merged[1:]
    return new
