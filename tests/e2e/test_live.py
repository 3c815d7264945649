"""The whole stack with Zerodha live, on the sandbox exchange through the real client.

Tests run in their order, before those of `test_live_alerts.py` and `test_live_end.py` on the same stack.
"""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from typing import Any

import pytest

from stack.scrape import Samples
from tests.e2e.freezing import frozen
from tests.e2e.live_stack import LiveStack
from tests.running_stack import metrics, reasons, wait_for

BROKER = "zerodha"
ENGINE = "trading_engine.zerodha"
BLOCKING = "position_foreign"


@pytest.fixture
def stack(live: LiveStack) -> LiveStack:
    return live


def codes(stack: LiveStack, broker: str) -> Counter[str]:
    return Counter(one["data"]["code"] for one in stack.envelopes(f"{broker}.signals.rejected"))


def fills(stack: LiveStack, broker: str) -> int:
    return len(stack.messages(f"{broker}.orders.filled"))


def answers(port: int, kind: str) -> float:
    """Order calls of an engine that were answered so."""
    return sum(
        value
        for (name, labels), value in metrics(port).items()
        if name == "alpha_panda_broker_calls_total" and ("answer", kind) in labels
    )


def gauge(found: Samples, name: str) -> float:
    """A gauge of the live account; -1 while there is none."""
    values = [
        value
        for (full, labels), value in found.items()
        if full == f"alpha_panda_{name}" and ("broker", BROKER) in labels
    ]
    return values[0] if values else -1


def test_nothing_is_placed_before_an_operator_says_so(stack: LiveStack) -> None:
    wait_for(lambda: codes(stack, BROKER)["trading_halted"] >= 3, "denials", 60)
    wait_for(lambda: fills(stack, "paper"), "fills of paper", 60)
    assert stack.placed() == []


def test_orders_are_placed_and_fill_and_both_sides_agree(stack: LiveStack) -> None:
    stack.command("resume", "--broker", BROKER, "--yes")
    wait_for(lambda: fills(stack, BROKER) >= 8, "fills", 60)
    found = stack.json("reconcile")
    assert not [one for one in found if one["severity"].startswith("blocks")]


def test_positions_beyond_the_day_have_a_stop_at_the_exchange(stack: LiveStack) -> None:
    def protected() -> bool:
        found = metrics(stack.ports()[ENGINE])
        standing, bare = (gauge(found, name) for name in ("triggers_standing", "positions_unprotected"))
        return standing >= 1 and bare == 0

    wait_for(protected, "stops at the exchange", 60)


def test_a_killed_engine_places_nothing_twice(stack: LiveStack) -> None:
    before = len(stack.placed())
    pid = stack.worker_pid(ENGINE)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: stack.worker_pid(ENGINE) not in (pid, None), "the restart")
    wait_for(lambda: len(stack.placed()) >= before + 5, "orders after the restart", 60)
    assert max(Counter(one["tag"] for one in stack.placed()).values()) == 1


def test_a_failing_broker_leaves_paper_alone_and_nothing_behind(stack: LiveStack) -> None:
    paper = fills(stack, "paper")
    fault = stack.exchange("POST", "/faults", {"kind": "bad_gateway", "endpoints": ["POST /orders/*"]})
    ports = stack.ports()
    wait_for(lambda: answers(ports[ENGINE], "unknown") >= 2, "answers that say nothing", 60)
    wait_for(lambda: fills(stack, "paper") > paper, "fills of paper", 60)
    stack.exchange("DELETE", f"/faults/{fault['data']['id']}")


def test_what_somebody_buys_by_hand_blocks_its_instrument_until_it_is_accepted(stack: LiveStack) -> None:
    symbol = stack.placed()[0]["tradingsymbol"]
    order = {"exchange": "NSE", "tradingsymbol": symbol, "transaction_type": "BUY", "order_type": "MARKET"}
    stack.exchange("POST", "/orders", **order, product="MIS", quantity=7, validity="DAY", market_protection=-1)

    def blocked() -> list[dict[str, Any]]:
        found = stack.command("reconcile", "--json", code=None)
        assert found.returncode in (0, 1)
        return [one for one in json.loads(found.stdout) if one["kind"] == BLOCKING and not one["accepted"]]

    (difference,) = wait_for(blocked, "the difference", 30)
    assert difference["instrument"] == f"NSE:{symbol}"
    refused = stack.command("reconcile", "--accept", "all", "--yes", code=2)
    assert "--reason" in refused.stderr
    stack.command("reconcile", "--accept", difference["reference"], "--reason", "bought by hand", "--yes")
    assert blocked() == []
    assert next(one for one in stack.placed() if one["tradingsymbol"] == symbol)["status"] != "CANCELLED"


def test_a_dead_session_stops_orders_and_a_new_one_is_picked_up(stack: LiveStack) -> None:
    pid, paper = stack.worker_pid(ENGINE), fills(stack, "paper")
    stack.exchange("POST", "/token/expire")
    wait_for(lambda: "session" in reasons(stack.ports()[ENGINE]), "the engine's word", 30)
    placed = len(stack.exchange("GET", "/calls")["data"])
    wait_for(lambda: fills(stack, "paper") > paper, "fills of paper", 60)
    calls = stack.exchange("GET", "/calls")["data"][placed:]
    assert [one for one in calls if one["method"] == "POST" and one["path"].startswith("/orders")] == []
    stack.log_in()
    wait_for(lambda: stack.is_ready(ENGINE), "readiness", 30)
    assert stack.worker_pid(ENGINE) == pid


def reducing_tags(stack: LiveStack) -> set[str]:
    orders = [one["data"]["order"] for one in stack.envelopes(f"{BROKER}.orders.submitted") if "order" in one["data"]]
    return {one["tag"] for one in orders if one["reduces"]}


def entries_after(stack: LiveStack, first: int) -> list[str]:
    """Tags of the entries among the order calls from the `first` one on."""
    calls = stack.exchange("GET", "/calls")["data"][first:]
    tags = [one["fields"]["tag"] for one in calls if one["method"] == "POST" and one["path"].startswith("/orders")]
    return [tag for tag in tags if tag not in reducing_tags(stack)]


def late_denials(stack: LiveStack) -> Counter[str]:
    failed = [one["data"] for one in stack.envelopes(f"{BROKER}.orders.failed")]
    return Counter(one["reason"] for one in failed if one["outcome"] == "denied_late")


@pytest.mark.parametrize("away", ["postgres", "redis"])
def test_without_postgresql_or_redis_nothing_is_opened_and_paper_goes_on(stack: LiveStack, away: str) -> None:
    def refused() -> int:
        late = late_denials(stack)["PostgreSQL does not answer"]
        return late if away == "postgres" else codes(stack, BROKER)["trading_halted"]

    before, paper = refused(), fills(stack, "paper")
    with frozen(stack, away):
        wait_for(lambda: refused() > before, "a refusal", 60)
        calls = len(stack.exchange("GET", "/calls")["data"])
        wait_for(lambda: fills(stack, "paper") > paper, "fills of paper", 60)
        wait_for(lambda: refused() > before + 1, "another refusal", 60)
        assert entries_after(stack, calls) == []
    wait_for(lambda: stack.is_ready(ENGINE), "readiness", 60)
    placed = len(stack.placed())
    wait_for(lambda: len(stack.placed()) > placed, "orders afterwards", 60)


def test_preflight_passes_beside_the_running_stack(stack: LiveStack) -> None:
    rows = {one["check"]: one for one in json.loads(stack.command("preflight", "--json", code=None).stdout)}
    assert {name for name, one in rows.items() if one["outcome"] == "failed"} == set(), rows
    assert {"session", "reconciliation", "kill_switch", "lease"} <= rows.keys()
