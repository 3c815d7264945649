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


class Reading(msgspec.Struct, frozen=True):
    """What a status text says; `unknown` is the text when nobody has told us what it says."""

    status: OrderStatus
    unknown: str = ""


def read_status(text: str) -> Reading:
    """The status in a report of Kite. Unknown texts are read as working, to be investigated. Raises nothing."""
    known = STATUSES.get(" ".join(text.upper().split()))
    return Reading(OrderStatus.WORKING, text or "(empty)") if known is None else Reading(known)
