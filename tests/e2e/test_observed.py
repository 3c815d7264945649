"""A live stack under its own Prometheus: everything is scraped and has data, and real faults are told in time.

Tests run in their order. Faults that do not touch each other are caused together: an alert takes its time.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from faust_app.runtime.metrics import DECLARED, MetricSpec
from tests.e2e.freezing import frozen
from tests.e2e.garbage import send
from tests.e2e.live_stack import LIVE
from tests.e2e.observed import ObservedStack, Watched
from tests.promql import selectors
from tests.promtools import required
from tests.running_stack import run, wait_for

BROKER = "zerodha"
DAY = "20m"  # longer than the whole run
UNKNOWN_SECONDS = 30.0  # as long an order may be unknown before it is an alert
SLOW_SECONDS = 60.0  # for what is neither feed nor orders

UNSET = {  # metrics that this run does not set, and why not
}
UNSEEN = {  # selectors of rules without a series, and why not
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObservedStack]:
    required("prometheus")
    running = ObservedStack(tmp_path_factory.mktemp("observed"), "sandbox", **LIVE)
    try:
        running.start()
        running.command("resume", "--broker", BROKER, "--yes")
        yield running
        running.stop()
    finally:
        running.kill()


@pytest.fixture
def watched(stack: ObservedStack, record_property: Callable[[str, object], None]) -> Watched:
    return Watched(stack, record_property)


def test_every_worker_is_scraped_under_its_own_name(stack: ObservedStack) -> None:
    def scraped() -> dict[str, str]:
        return {
            one["labels"]["worker"]: one["health"]
            for one in stack.targets()
            if one["labels"]["job"] == "alpha-panda" and one["health"] != "unknown"
        }

    expected = dict.fromkeys(stack.workers(), "up")
    assert len(expected) == 2 * 3 + 4
    wait_for(lambda: scraped() == expected, "a scrape of every worker")
    labels = {one["labels"]["worker"]: one["labels"] for one in stack.targets() if "worker" in one["labels"]}
    for worker, found in labels.items():
        stage, _, broker = worker.partition(".")
        assert (found["stage"], found["broker"]) == (stage, broker or "shared")
    own = {worker for (worker, name) in process_figures(stack) if name == "process_resident_memory_bytes"}
    assert own == expected.keys(), "figures of processes have their worker's name"


def process_figures(stack: ObservedStack) -> set[tuple[str, str]]:
    rows = stack.query('{__name__=~"process_.+", job="alpha-panda"}')
    return {(labels["worker"], labels["__name__"]) for labels, _ in rows}


def has_data(stack: ObservedStack, selector: str) -> bool:
    return bool(stack.query(f"count(last_over_time({selector}[{DAY}]))"))


def test_every_rule_is_evaluated_and_reads_what_exists(stack: ObservedStack) -> None:
    rules = wait_for(lambda: [one for one in stack.rules() if one["health"] != "unknown"] and stack.rules(), "rules")
    assert len([one for one in rules if one["type"] == "alerting"]) >= 25
    wait_for(lambda: {one["health"] for one in stack.rules()} == {"ok"}, "an evaluation of every rule")
    wanted = {selector for one in rules for selector in selectors(one["query"])} - UNSEEN.keys()

    def missing() -> set[str]:
        return {selector for selector in wanted if not has_data(stack, selector)}

    wait_for(lambda: not missing(), "data for every rule", SLOW_SECONDS) if missing() else None
    recorded = [one for one in rules if one["type"] == "recording" and not stack.query(one["name"])]
    assert not recorded


def test_every_query_of_every_dashboard_has_data(stack: ObservedStack) -> None:
    boards = pytest.importorskip("tests.dashboard_queries", reason="there are no dashboards")
    queries = [one for one in boards.queries() if one not in boards.MAY_BE_EMPTY]
    assert queries

    def empty() -> list[tuple[str, str, str]]:
        return [one for one in queries if not stack.query(one[2])]

    wait_for(lambda: not empty(), "data for every panel", SLOW_SECONDS)


def loser(stack: ObservedStack) -> tuple[str, float]:
    """The account's broker that has lost most today, and how much; falsy while nobody has."""
    rows = stack.query("-alpha_panda_pnl_day_rupees > 1")
    return max(((labels["broker"], value) for labels, value in rows), key=lambda row: row[1], default=("", 0.0))


def limit_loss(stack: ObservedStack, broker: str, rupees: float) -> float:
    """Set the day's limit of an account; when that was done."""
    stack.command("limits", "set", f"max_daily_loss={rupees:.2f}", "--account", broker)
    return time.monotonic()


def test_a_silent_feed_garbage_a_foreign_position_and_losses_are_told(stack: ObservedStack, watched: Watched) -> None:
    wait_for(lambda: loser(stack)[1], "a loss", SLOW_SECONDS)
    wait_for(stack.placed, "orders at the exchange", SLOW_SECONDS)
    assert not stack.alerts_firing("NoTicks")
    with stack.broken("heartbeats_only"), frozen(stack, "ledger"):
        silent = time.monotonic()
        symbol = buy_by_hand(stack)
        bought = time.monotonic()
        run(send(stack.settings(), "paper.signals.raw", [b"{", b"no message"]))
        sent = time.monotonic()
        stack.command("halt", "--broker", "paper", "--reason", "a test")
        halted = time.monotonic()
        broker, loss = loser(stack)
        near = limit_loss(stack, broker, loss / 0.9)
        watched.fires("DeadLetters", sent, topic="paper.signals.raw.dlq")
        watched.fires("TradingStopped", halted, broker="paper")
        watched.fires("ReconciliationDifference", bought, broker=BROKER)
        watched.fires("NoTicks", silent)
        watched.fires("DayLossNear", near, broker=broker)
        reached = limit_loss(stack, broker, loss * 0.9)
        watched.fires("WorkerDown", silent, SLOW_SECONDS, worker="ledger")
        watched.fires("StageStalled", silent, SLOW_SECONDS, worker="ledger")
        watched.fires("SnapshotMissing", silent, SLOW_SECONDS)
        watched.fires("DayLossReached", reached, broker=broker)
    stack.command("limits", "reset", "--account", broker)
    stack.command("resume", "--broker", "paper", "--yes")
    accept(stack, symbol)
    for name in ("NoTicks", "WorkerDown", "StageStalled", "SnapshotMissing", "DayLossReached"):
        watched.clears(name)
    watched.clears("TradingStopped", broker="paper")
    watched.clears("ReconciliationDifference")


def buy_by_hand(stack: ObservedStack) -> str:
    """Somebody buys at the broker what we know nothing of; the symbol."""
    symbol = str(stack.placed()[0]["tradingsymbol"])
    order = {"exchange": "NSE", "tradingsymbol": symbol, "transaction_type": "BUY", "order_type": "MARKET"}
    stack.exchange("POST", "/orders", **order, product="MIS", quantity=7, validity="DAY", market_protection=-1)
    return symbol


def accept(stack: ObservedStack, symbol: str) -> None:
    stack.command("reconcile", "--accept", "all", "--reason", f"{symbol} was bought by hand", "--yes")


def test_a_failing_broker_a_frozen_exchange_and_redis_are_told(stack: ObservedStack, watched: Watched) -> None:
    with stack.broken("bad_gateway", endpoints=["POST /orders/*"], accepted=False):
        wait_for(lambda: unknown(stack), "an order nobody knows the outcome of", SLOW_SECONDS)
        asked = time.monotonic()
        wait_for(lambda: stack.value("sum(alpha_panda_broker_breaker_open)"), "the open breaker", SLOW_SECONDS)
        watched.fires("BrokerBreakerOpen", time.monotonic(), broker=BROKER)
        with frozen(stack, "exchange"), frozen(stack, "redis"):
            away = time.monotonic()
            watched.fires("FeedFrozen", away)
            watched.fires("DependencyDown", away, dependency="redis")
            watched.fires("LeaseLost", away, SLOW_SECONDS)
            watched.fires("OrderUnknown", asked, UNKNOWN_SECONDS + 30, broker=BROKER)
    for name in ("FeedFrozen", "DependencyDown", "LeaseLost", "OrderUnknown", "BrokerBreakerOpen"):
        watched.clears(name)


def unknown(stack: ObservedStack) -> float | None:
    return stack.value("sum(alpha_panda_orders_unknown)")


def test_a_dead_session_and_a_worker_that_dies_again_and_again_are_told(stack: ObservedStack, watched: Watched) -> None:
    stack.exchange("POST", "/token/expire")
    expired = time.monotonic()
    for _ in range(2):
        kill(stack, "portfolio_manager.paper")
    died = time.monotonic()
    watched.fires("SessionInvalid", expired, broker=BROKER)
    watched.fires("WorkerRestarts", died, worker="portfolio_manager.paper")
    stack.log_in()
    watched.clears("SessionInvalid")


def kill(stack: ObservedStack, worker: str) -> None:
    """Kill it; wait until Prometheus has seen its successor."""
    started = f'alpha_panda_worker_start_timestamp_seconds{{worker="{worker}"}}'
    before, pid = stack.value(started), stack.worker_pid(worker)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: stack.value(started) not in (before, None), f"the restart of {worker}")


def test_a_blind_monitor_is_told(stack: ObservedStack, watched: Watched) -> None:
    with frozen(stack, "monitor"):
        watched.fires("MonitorBlind", time.monotonic(), SLOW_SECONDS)
    watched.clears("MonitorBlind")


def is_set(stack: ObservedStack, spec: MetricSpec) -> bool:
    """Some worker has given it a value; one without labels is 0 until then."""
    name = f"{spec.name}_count" if spec.kind == "histogram" else spec.name
    return bool(stack.query(f"max_over_time({name}[{DAY}])" if spec.labels else f"max_over_time({name}[{DAY}]) != 0"))


def test_every_declared_metric_was_set_by_the_run(stack: ObservedStack) -> None:
    unset = {spec.name for spec in DECLARED if not is_set(stack, spec)}
    assert unset == UNSET.keys()


def test_the_watchdog_never_stopped(stack: ObservedStack) -> None:
    assert stack.alerts_firing("Watchdog")
    assert stack.value('min_over_time(ALERTS{alertname="Watchdog", alertstate="firing"}[2m])') == 1
