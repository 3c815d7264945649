"""The last tests on the live stack: whatever has happened to it, nothing is lost, doubled, or with the wrong broker."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.e2e.books import assert_positions, open_orders, undecided
from tests.e2e.live_stack import LiveStack
from tests.running_stack import wait_for

BROKER = "zerodha"


@pytest.fixture
def stack(live: LiveStack) -> LiveStack:
    return live


def test_in_the_end_both_books_are_equal(stack: LiveStack) -> None:
    stack.command("halt", "--reason", "end of the test")
    for row in stack.json("strategies", "list"):
        stack.command("strategies", "disable", row["instance"])
    for order in stack.placed():
        if order["status"] in ("OPEN", "TRIGGER PENDING"):
            stack.exchange("DELETE", f"/orders/{order['order_id']}", is_sure=False)  # it may fill first
    wait_for(lambda: not undecided(stack, BROKER), "a decision on every signal", 60)
    wait_for(lambda: not open_orders(stack, BROKER), "the end of every order", 90)
    filled = list({one["id"]: one["data"] for one in stack.envelopes(f"{BROKER}.orders.filled")}.values())
    ours: Counter[str] = Counter()
    for fill in filled:
        ours[fill["order"]["tag"]] += fill["quantity"]
    placed = stack.placed()
    assert max(Counter(one["tag"] for one in placed).values()) == 1
    assert +ours == {one["tag"]: one["filled_quantity"] for one in placed if one["filled_quantity"]}
    assert_positions(stack, BROKER, filled)
    wait_for(lambda: stack.command("reconcile", code=None).returncode == 0, "agreement", 30)


def test_nothing_of_one_broker_is_on_the_others_topics(stack: LiveStack) -> None:
    for family in ("signals.raw", "orders.submitted", "orders.filled", "reconciliation"):
        for broker in ("paper", BROKER):
            assert {one["broker"] for one in stack.envelopes(f"{broker}.{family}")} <= {broker}
    assert stack.envelopes("paper.reconciliation") == []
