"""Kite's statuses: three ends, everything else works, what nobody knows is looked into."""

from __future__ import annotations

import pytest

from brokers.zerodha.statuses import STATUSES, read_status
from models.messages.orders import OrderStatus

ENDS = {
    "COMPLETE": OrderStatus.FILLED,
    "CANCELLED": OrderStatus.CANCELLED,
    "REJECTED": OrderStatus.REJECTED,
}


@pytest.mark.parametrize("text", STATUSES)
def test_a_known_status_is_an_end_or_works(text: str) -> None:
    reading = read_status(text)
    assert reading.unknown == ""
    assert reading.status is ENDS.get(text, OrderStatus.WORKING)


def test_every_status_seen_at_kite_is_known() -> None:
    """As listed in its documentation, its API mocks and its forum."""
    seen = """PUT ORDER REQ RECEIVED, VALIDATION PENDING, OPEN PENDING, OPEN, TRIGGER PENDING, COMPLETE, CANCELLED,
        REJECTED, MODIFY VALIDATION PENDING, MODIFY PENDING, MODIFIED, NOT MODIFIED, CANCEL PENDING, NOT CANCELLED,
        AMO REQ RECEIVED, MODIFY AMO REQ RECEIVED, UPDATE"""
    assert {" ".join(one.split()) for one in seen.split(",")} == set(STATUSES)


@pytest.mark.parametrize("text", ["open", " OPEN ", "Trigger  Pending"])
def test_case_and_space_do_not_matter(text: str) -> None:
    assert read_status(text).unknown == ""


@pytest.mark.parametrize(("text", "unknown"), [("LAPSED", "LAPSED"), ("", "(empty)"), ("complete?", "complete?")])
def test_an_unknown_status_works_and_is_told(text: str, unknown: str) -> None:
    reading = read_status(text)
    assert (reading.status, reading.unknown) == (OrderStatus.WORKING, unknown)
