"""The end of the pipeline's tests: trading is halted, and everything that has happened is counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from models.rows.audit import AuditRow
from tests.e2e.books import (
    BROKERS,
    FAMILIES,
    WITH_MESSAGES,
    assert_ledger,
    assert_positions,
    open_orders,
    rows,
    undecided,
)
from tests.running_stack import GARBAGE_KEY, RunningStack, run, wait_for


def test_halt_stops_entries_and_is_audited(stack: RunningStack) -> None:
    said = stack.command("halt", "--reason", "end of the test").stdout
    assert "all is halted" in said
    assert "risk_manager.paper" in said
    assert "trading_engine.zerodha" in said

    def denied() -> int:
        return sum(one["data"]["code"] == "trading_halted" for one in stack.envelopes("paper.signals.rejected"))

    first = wait_for(denied, "a denial", 60)
    halted = len(stack.messages("paper.signals.validated"))
    wait_for(lambda: denied() > first + 2, "more denials", 60)
    accepted = stack.envelopes("paper.signals.validated")[halted:]
    assert all(order["reduces"] for one in accepted for order in one["data"]["orders"])

    def reasons() -> list[str]:
        chosen = select(AuditRow.data).where(AuditRow.type == "control.trading_state")
        return [row.data["reason"] for row in run(rows(stack.settings(), chosen))]

    wait_for(lambda: "end of the test" in reasons(), "the audit row")


def test_disabled_strategies_raise_nothing(stack: RunningStack) -> None:
    for row in stack.json("strategies", "list"):
        stack.command("strategies", "disable", row["instance"])

    def is_quiet() -> bool:
        before = len(stack.messages("paper.signals.raw"))
        ticks = len(stack.messages("market.ticks"))
        wait_for(lambda: len(stack.messages("market.ticks")) > ticks + 40, "more frames")
        return len(stack.messages("paper.signals.raw")) == before

    assert wait_for(is_quiet, "silence of the strategies", 60)


def test_everything_is_closed(stack: RunningStack) -> None:
    said = stack.command("halt", "--flatten", "--yes", "--for", "50s", "--reason", "close").stdout
    assert "Flat: paper, zerodha." in said
    wait_for(lambda: stack.json("positions") == [], "the last snapshot")


@pytest.mark.parametrize("broker", BROKERS)
def test_after_all_kills_nothing_is_lost_and_nothing_doubled(stack: RunningStack, broker: str) -> None:
    """Every accepted signal in exactly one terminal state, every effect once, positions equal to the fills."""
    wait_for(lambda: not undecided(stack, broker), "a decision on every signal", 90)
    wait_for(lambda: not open_orders(stack, broker), "the end of every order", 90)
    messages: dict[str, dict[str, Any]] = {}
    for family in FAMILIES:
        for one in stack.messages(f"{broker}.{family}"):
            if one.key == GARBAGE_KEY:
                continue
            document = msgspec.json.decode(one.value)
            if family == "pnl.snapshots":
                continue
            assert messages.setdefault(document["id"], document) == document, "one id, two contents"
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in messages.values():
        kinds[one["type"]].append(one["data"])
    orders = {order["order_id"]: order for one in kinds["signal.accepted"] for order in one["orders"]}
    assert {one["order"]["order_id"] for one in kinds["order.submitted"]} == set(orders)
    fills: Counter[str] = Counter()
    for one in kinds["order.filled"]:
        fills[one["order"]["order_id"]] += one["quantity"]
    complete = {one["order"]["order_id"] for one in kinds["order.filled"] if one["complete"]}
    failed = {one["order"]["order_id"]: one for one in kinds["order.failed"]}
    assert complete | failed.keys() == set(orders)
    assert not complete & failed.keys()
    for order_id, order in orders.items():
        expected = order["quantity"] if order_id in complete else failed[order_id]["filled_quantity"]
        assert fills[order_id] == expected
    decided = {one["signal_id"] for kind in ("signal.accepted", "signal.denied") for one in kinds[kind]}
    assert decided == {one["signal_id"] for one in kinds["signal.raised"]}
    assert_positions(stack, broker, kinds["order.filled"])
    assert_ledger(stack, broker, orders, kinds)


def test_stopping_leaves_no_process_and_sums_up(stack: RunningStack) -> None:
    children = stack.children()
    summary = stack.stop()
    for key in ("ticks_published", "ticks_processed", "signals", "orders", "fills", "tick_to_order_ms", "pnl"):
        assert summary[key], key
    assert summary["worker_restarts"] >= len(WITH_MESSAGES)
    assert set(summary["pnl"]) == set(BROKERS)
    assert summary["lag_end"] == 0
    assert summary["ticks_published"] == summary["ticks_processed"] or summary["worker_restarts"]
    wait_for(
        lambda: not [one for one in children if one.is_running() and one.status() != "zombie"],
        "the end of every process",
        10,
    )
