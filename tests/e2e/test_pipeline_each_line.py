"""Logs and traces of the running stack: one schema, one decision followed from its frame to the snapshot."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from faust_app.runtime.log_channels import Channel
from faust_app.runtime.logging import FIELDS
from tests.running_stack import RunningStack, metrics, total, wait_for

CHAIN = ("market.frame", "signal.raised", "signal.accepted", "order.submitted", "order.update", "order.filled")
LOST_TO_KILLS = 0.1  # a worker that is killed has sent some fills and not told of them


def filled(stack: RunningStack) -> dict[str, dict[str, Any]]:
    """Fills of the paper account that a tick led to, by id."""
    found = stack.envelopes("paper.orders.filled")
    return {one["id"]: one for one in found if one["data"]["order"]["received_ns"]}


def logged(stack: RunningStack, *options: str) -> list[dict[str, Any]]:
    """What `alpha-panda logs` prints."""
    return [json.loads(line) for line in stack.command("logs", "--json", *options).stdout.splitlines()]


@pytest.fixture(scope="module")
def fill(stack: RunningStack) -> dict[str, Any]:
    """The last fill that is in the log and in a snapshot."""
    wait_for(lambda: len(filled(stack)) >= 10, "ten fills", 90)

    def booked() -> dict[str, Any] | None:
        told = {line["fill_id"] for line in logged(stack, "--broker", "paper") if line["event"] == "order_filled"}
        causes = {one["causation_id"] for one in stack.envelopes("paper.pnl.snapshots")}
        chosen = [one for one in filled(stack).values() if one["id"] in told & causes]
        return chosen[-1] if chosen else None

    found = wait_for(booked, "a fill in a log and a snapshot")
    assert found is not None
    return found


def test_every_line_of_every_worker_is_json_with_the_schema(stack: RunningStack) -> None:
    workers = stack.workers()
    seen: Counter[str] = Counter()
    for worker in workers:
        for file in (stack.state / "logs").glob(f"{worker}.log*"):
            complete = file.read_bytes().rpartition(b"\n")[0]
            for raw in complete.splitlines():
                line = json.loads(raw)
                assert list(line)[: len(FIELDS)] == list(FIELDS), raw
                assert line["worker"] == worker
                assert line["channel"] in set(Channel)
                assert "\n" not in line["event"]
                assert "\x1b" not in line["event"]
                assert datetime.fromisoformat(line["ts"]).tzinfo is UTC
                assert line["logger"] != "printed", raw
                seen[worker] += 1
    assert set(seen) == set(workers)


def test_lines_are_counted_in_metrics(stack: RunningStack) -> None:
    pages = json.loads((stack.state / "pages.json").read_text())
    for worker, port in pages.items():  # one that was just killed has not logged anything again
        wait_for(lambda port=port: total(metrics(port), "log_lines_total") > 0, f"lines of {worker}")


def test_fills_are_in_the_log(stack: RunningStack, fill: dict[str, Any]) -> None:
    told = {line["fill_id"] for line in logged(stack, "--channel", "trading") if line["event"] == "order_filled"}
    missing = [one for one in filled(stack) if one not in told]
    assert len(missing) <= max(3, LOST_TO_KILLS * len(filled(stack)))


def test_a_fill_is_traced_from_its_frame_with_the_time_of_every_hop(stack: RunningStack, fill: dict[str, Any]) -> None:
    def traced() -> list[dict[str, Any]]:
        rows = stack.json("trace", fill["id"])
        return rows if rows[-1]["type"] == "portfolio.snapshot" else []

    rows = {row["event_id"]: row for row in wait_for(traced, "the snapshot in the trace")}
    path = [rows[fill["id"]]]
    while path[0]["causation_id"] is not None:
        path.insert(0, rows[path[0]["causation_id"]])
    assert tuple(row["type"] for row in path) == CHAIN
    assert path[0]["event_id"] == fill["correlation_id"]
    assert all(row["hop_seconds"] >= 0 for row in rows.values() if row["causation_id"] is not None)
    totals = [row["total_seconds"] for row in path]
    assert totals == sorted(totals)
    assert totals[0] == 0
    for before, after in pairwise(path):
        hop = datetime.fromisoformat(after["at"]) - datetime.fromisoformat(before["at"])
        assert after["hop_seconds"] == pytest.approx(max(0.0, hop.total_seconds()), abs=0.001)
    snapshots = [row for row in rows.values() if row["type"] == "portfolio.snapshot"]
    assert any(row["causation_id"] == fill["id"] for row in snapshots)
    by_order = stack.json("trace", fill["data"]["order"]["order_id"])
    assert {row["event_id"] for row in path} <= {row["event_id"] for row in by_order}
    said = stack.command("trace", fill["id"]).stdout
    assert " ms" in said


@pytest.mark.parametrize("of", ["fill", "order", "signal"])
def test_logs_of_a_decision_are_found_by_any_of_its_ids(stack: RunningStack, fill: dict[str, Any], of: str) -> None:
    order = fill["data"]["order"]
    identifier = {"fill": fill["id"], "order": order["order_id"], "signal": order["signal_id"]}[of]
    lines = logged(stack, "--trace", identifier)
    told = [line for line in lines if line.get("fill_id") == fill["id"]]
    assert [line["event"] for line in told] == ["order_filled"]
    assert told[0]["correlation_id"] == fill["correlation_id"]
    assert {"signal_accepted", "order_submitted"} <= {line["event"] for line in lines}
    assert [line["ts"] for line in lines] == sorted(line["ts"] for line in lines)


def test_server_logs_are_shown_when_asked_for(stack: RunningStack) -> None:
    for server in ("kafka", "postgres", "redis"):
        assert {line["stage"] for line in logged(stack, "--stage", server)} == {server}
