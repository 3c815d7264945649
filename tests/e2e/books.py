"""What the topics, PostgreSQL and the snapshots say about one broker, compared."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import select

from faust_app.runtime.database import create_engine, transaction
from faust_app.runtime.settings import Settings
from faust_app.runtime.topology import STAGES
from models.rows.trading import FillRow, OrderRow, SignalRow
from tests.running_stack import RunningStack, run, wait_for

BROKERS = ("paper", "zerodha")
FAMILIES = (
    "signals.raw",
    "signals.validated",
    "signals.rejected",
    "orders.submitted",
    "orders.updates",
    "orders.ack",
    "orders.filled",
    "orders.failed",
    "pnl.snapshots",
)
WITH_MESSAGES = [stage.name for stage in STAGES if stage.consumes]


async def rows(settings: Settings, statement: Any) -> list[Any]:
    engine = create_engine(settings, pool_size=1)
    try:
        async with transaction(engine) as connection:
            return list(await connection.execute(statement))
    finally:
        await engine.dispose()


def undecided(stack: RunningStack, broker: str) -> set[str]:
    decided = {
        one["data"]["signal_id"]
        for family in ("signals.validated", "signals.rejected")
        for one in stack.envelopes(f"{broker}.{family}")
    }
    raised = [one["data"] for one in stack.envelopes(f"{broker}.signals.raw") if one["type"] == "signal.raised"]
    return {one["signal_id"] for one in raised} - decided


def open_orders(stack: RunningStack, broker: str) -> set[str]:
    accepted = {
        order["order_id"] for one in stack.envelopes(f"{broker}.signals.validated") for order in one["data"]["orders"]
    }
    filled = {
        one["data"]["order"]["order_id"]
        for one in stack.envelopes(f"{broker}.orders.filled")
        if one["data"]["complete"]
    }
    failed = {one["data"]["order"]["order_id"] for one in stack.envelopes(f"{broker}.orders.failed") if one.get("data")}
    return accepted - filled - failed


def assert_positions(stack: RunningStack, broker: str, filled: list[dict[str, Any]]) -> None:
    expected: Counter[tuple[str, str]] = Counter()
    for one in filled:
        sign = 1 if one["order"]["side"] == "BUY" else -1
        expected[one["order"]["strategy"], one["order"]["instrument"]] += sign * one["quantity"]

    def latest_snapshot() -> Any:
        return max(stack.envelopes(f"{broker}.pnl.snapshots"), key=lambda one: one["data"]["fills"])["data"]

    wait_for(lambda: latest_snapshot()["fills"] >= len(filled), f"a snapshot after {len(filled)} fills")
    latest = latest_snapshot()
    assert latest["fills"] == len(filled), (latest["fills"], len(filled))
    held = {(one["strategy"], one["instrument"]): one["quantity"] for one in latest["positions"]}
    assert held == {key: quantity for key, quantity in expected.items() if quantity}


def assert_ledger(
    stack: RunningStack, broker: str, orders: dict[str, Any], kinds: dict[str, list[dict[str, Any]]]
) -> None:
    settings = stack.settings()

    def agrees() -> bool:
        found = run(rows(settings, select(OrderRow.order_id, OrderRow.rank).where(OrderRow.broker == broker)))
        fills = run(rows(settings, select(FillRow.fill_id).where(FillRow.broker == broker)))
        signals = run(rows(settings, select(SignalRow.signal_id).where(SignalRow.broker == broker)))
        return (
            {row.order_id for row in found} == set(orders)
            and all(row.rank == 4 for row in found)
            and {row.fill_id for row in fills} == {one["fill_id"] for one in kinds["order.filled"]}
            and {row.signal_id for row in signals} == {one["signal_id"] for one in kinds["signal.raised"]}
        )

    wait_for(agrees, "agreement of PostgreSQL with the topics", 40)
