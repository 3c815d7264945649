"""Kite's order statuses. Only COMPLETE, CANCELLED and REJECTED are ends; what is not known here still works.

Source: kite.trade documentation "Orders", its forum, and the samples of its API mocks. `UPDATE` comes in postbacks and
on the websocket only.
"""

from __future__ import annotations

import msgspec

from models.messages.orders import OrderStatus

STATUSES = {
    "PUT ORDER REQ RECEIVED": OrderStatus.WORKING,
    "VALIDATION PENDING": OrderStatus.WORKING,
    "OPEN PENDING": OrderStatus.WORKING,
    "OPEN": OrderStatus.WORKING,
    "TRIGGER PENDING": OrderStatus.WORKING,
    "UPDATE": OrderStatus.WORKING,
    "MODIFY VALIDATION PENDING": OrderStatus.WORKING,
    "MODIFY PENDING": OrderStatus.WORKING,
    "MODIFIED": OrderStatus.WORKING,
    "NOT MODIFIED": OrderStatus.WORKING,
    "CANCEL PENDING": OrderStatus.WORKING,
    "NOT CANCELLED": OrderStatus.WORKING,
    "AMO REQ RECEIVED": OrderStatus.WORKING,
    "MODIFY AMO REQ RECEIVED": OrderStatus.WORKING,
    "COMPLETE": OrderStatus.FILLED,
    "CANCELLED": OrderStatus.CANCELLED,
    "REJECTED": OrderStatus.REJECTED,
}

# On the way to the exchange, as it should be for moments only. After market orders wait for the morning: they are not.
PENDING = frozenset(
    {
        "PUT ORDER REQ RECEIVED",
        "VALIDATION PENDING",
        "OPEN PENDING",
        "MODIFY VALIDATION PENDING",
        "MODIFY PENDING",
        "CANCEL PENDING",
    }
)


class Reading(msgspec.Struct, frozen=True):
    """What a status text says; `unknown` is the text when nobody has told us what it says."""

    status: OrderStatus
    unknown: str = ""
    is_pending: bool = False


def read_status(text: str) -> Reading:
    """The status in a report of Kite. Unknown texts are read as working, to be investigated. Raises nothing."""
    word = " ".join(text.upper().split())
    known = STATUSES.get(word)
    if known is None:
        return Reading(OrderStatus.WORKING, text or "(empty)")
    return Reading(known, is_pending=word in PENDING)
