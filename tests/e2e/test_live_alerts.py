"""The live stack under its own Prometheus: everything is scraped and has data, and real faults are told in time.

Tests run in their order. Faults that do not touch each other are caused together: an alert takes its time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from typing import Any

import pytest

from faust_app.runtime.metrics import DECLARED, MetricSpec
from tests.dashboard_queries import excuse, queries
from tests.e2e.freezing import frozen
from tests.e2e.garbage import send
from tests.e2e.observed import SLOW_SECONDS, AlertLog, ObservedStack, Watched
from tests.running_stack import run, wait_for
from tests.unit.observability.promql_tree import selectors

BROKER = "zerodha"
DAY = "20m"  # longer than the whole run
UNKNOWN_SECONDS = 30.0  # as long an order may be unknown before it is an alert

CAUSED = {"NoTicks", "TradingStopped", "ReconciliationDifference", "DayLossNear", "DayLossReached", "WorkerDown",
          "SnapshotMissing", "DeadLetters"}  # fmt: skip

UNSET = {  # metrics that this run may not set, and why not
    "alpha_panda_exits_given_up_total": "exits fill here; tests/integration/test_flatten.py",
    "alpha_panda_exits_overdue_total": "exits fill here; tests/integration/test_flatten.py",
    "alpha_panda_exits_repriced_total": "exits fill here; tests/integration/test_flatten.py",
    "alpha_panda_feed_queue_ticks": "a queue that is emptied at once is empty whenever it is scraped",
    "alpha_panda_notices_total": "nobody has asked for notices",
    "alpha_panda_order_alarms_total": "no report contradicts its order",
    "alpha_panda_orders_withdrawn_total": "nothing is flattened; tests/integration/test_flatten.py",
    "alpha_panda_retries_total": "only a ledger without PostgreSQL tries again",
    "alpha_panda_send_errors_total": "Kafka does not go away; tests/e2e/test_pipeline_dependencies.py",
    "alpha_panda_slow_queries_total": "PostgreSQL may be quick",
    "alpha_panda_strategy_errors_total": "no strategy raises",
    "alpha_panda_ticks_out_of_order_total": "the sandbox's seconds come in their order",
    "alpha_panda_unknown_order_statuses_total": "the sandbox says what Kite says",
}
UNSEEN = {  # series rules ask for that come only with what they count, or with whom they watch
    "alpha_panda_exits_given_up_total": "no exit fails so often",
    "alpha_panda_order_alarms_total": "no report contradicts its order",
    "alertmanager_notifications_failed_total": "this machine may have no Alertmanager",
    "prometheus_notifications_errors_total": "this machine may have no Alertmanager",
}


@pytest.fixture
def stack(observed: ObservedStack) -> ObservedStack:
    return observed


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


def plain(selector: Any) -> str:
    """A selector of series as text, without the times it may have."""
    return re.sub(r" (offset|@) .*$", "", selector.prettify())


def vanishes(find: Callable[[], Collection[object]], seconds: float) -> None:
    """Wait until nothing is found any more; what is left fails the test."""
    deadline = time.monotonic() + seconds
    wait_for(lambda: not find() or time.monotonic() > deadline, "nothing", seconds + SLOW_SECONDS)
    assert not find()


def has_data(stack: ObservedStack, selector: str) -> bool:
    return bool(stack.query(f"count(last_over_time({selector}[{DAY}]))"))


def test_every_rule_is_evaluated_and_reads_what_exists(stack: ObservedStack) -> None:
    rules = wait_for(lambda: [one for one in stack.rules() if one["health"] != "unknown"] and stack.rules(), "rules")
    assert len([one for one in rules if one["type"] == "alerting"]) >= 25
    wait_for(lambda: {one["health"] for one in stack.rules()} == {"ok"}, "an evaluation of every rule")
    wanted = {plain(selector) for one in rules for selector, _ in selectors(one["query"])} - UNSEEN.keys()

    def missing() -> set[str]:
        return {selector for selector in wanted if not has_data(stack, selector)}

    vanishes(missing, SLOW_SECONDS)
    recorded = [one for one in rules if one["type"] == "recording" and not stack.query(one["name"])]
    assert not recorded


def day_loss(stack: ObservedStack) -> float:
    """What paper has lost today; 0 while it has not."""
    return stack.value('-alpha_panda_pnl_day_rupees{broker="paper"} > 1') or 0.0


def done(stack: ObservedStack, *command: str) -> float:
    """Give a command; when it was given."""
    began = time.monotonic()
    stack.command(*command)
    return began


def limit_loss(stack: ObservedStack, rupees: float) -> float:
    """Set what paper may lose in a day; when that was done."""
    return done(stack, "limits", "set", f"max_daily_loss={rupees:.2f}", "--account", "paper")


def test_a_silent_feed_garbage_a_foreign_position_and_losses_are_told(stack: ObservedStack, watched: Watched) -> None:
    wait_for(lambda: day_loss(stack), "a loss", SLOW_SECONDS)
    wait_for(stack.placed, "orders at the exchange", SLOW_SECONDS)
    wait_for(lambda: not CAUSED & {one["alertname"] for one in stack.firing()}, "quiet", SLOW_SECONDS)
    stack.exchange("POST", "/faults", {"kind": "unknown_packet", "count": 3})
    with stack.broken("heartbeats_only"), frozen(stack, "ledger"):
        silent = time.monotonic()
        symbol = buy_by_hand(stack)
        bought = time.monotonic()
        run(send(stack.settings(), "paper.signals.raw", [b"{", b"no message"]))
        sent = time.monotonic()
        halted = done(stack, "halt", "--broker", "paper", "--reason", "a test")
        watched.fires("DeadLetters", sent, topic="paper.signals.raw.dlq")
        watched.fires("TradingStopped", halted, broker="paper")
        watched.fires("ReconciliationDifference", bought, broker=BROKER)
        loss = day_loss(stack)  # without ticks it stays what it is
        near = limit_loss(stack, loss / 0.9)
        watched.fires("DayLossNear", near, broker="paper")
        reached = limit_loss(stack, loss * 0.9)
        watched.fires("NoTicks", silent)
        watched.fires("WorkerDown", silent, SLOW_SECONDS, worker="ledger")
        watched.fires("SnapshotMissing", silent, SLOW_SECONDS)
        watched.fires("DayLossReached", reached, broker="paper")
    ended = time.monotonic()
    reset = done(stack, "limits", "reset", "--account", "paper")
    resumed = done(stack, "resume", "--broker", "paper", "--yes")
    accepted = done(stack, "reconcile", "--accept", "all", "--reason", f"{symbol} was bought by hand", "--yes")
    for name in ("NoTicks", "WorkerDown", "SnapshotMissing"):
        watched.clears(name, ended)
    watched.clears("DayLossReached", reset)
    watched.clears("TradingStopped", resumed, broker="paper")
    watched.clears("ReconciliationDifference", accepted)


def buy_by_hand(stack: ObservedStack) -> str:
    """Somebody buys at the broker what we know nothing of, and nobody has bought by hand before; the symbol."""
    book = stack.exchange("GET", "/orders")["data"]
    by_hand = {one["tradingsymbol"] for one in book if not one["tag"]}
    symbol = next(str(one["tradingsymbol"]) for one in book if one["tag"] and one["tradingsymbol"] not in by_hand)
    order = {"exchange": "NSE", "tradingsymbol": symbol, "transaction_type": "BUY", "order_type": "MARKET"}
    stack.exchange("POST", "/orders", **order, product="MIS", quantity=7, validity="DAY", market_protection=-1)
    return symbol


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
    ended = time.monotonic()
    for name in ("FeedFrozen", "DependencyDown", "LeaseLost", "OrderUnknown", "BrokerBreakerOpen"):
        watched.clears(name, ended)


def unknown(stack: ObservedStack) -> float | None:
    return stack.value("sum(alpha_panda_orders_unknown)")


def test_every_query_of_every_dashboard_has_data(stack: ObservedStack) -> None:
    wanted = [one for one in queries() if excuse(one[2], is_live=True) is None]
    assert len(wanted) > 100

    def empty() -> list[tuple[str, str, str]]:
        return [one for one in wanted if not stack.query(one[2]) and not had_data(stack, one[2])]

    vanishes(empty, SLOW_SECONDS)


def had_data(stack: ObservedStack, query: str) -> bool:
    """True when it found something at some time of the run: a list of alerts is empty while none fires."""
    return bool(stack.query(f"last_over_time(({query})[{DAY}:15s])"))


def is_set(stack: ObservedStack, spec: MetricSpec) -> bool:
    """Some worker has given it a value; one without labels is 0 until then."""
    name = f"{spec.name}_count" if spec.kind == "histogram" else spec.name
    return bool(stack.query(f"max_over_time({name}[{DAY}])" if spec.labels else f"max_over_time({name}[{DAY}]) != 0"))


def test_every_declared_metric_was_set_by_the_run(stack: ObservedStack) -> None:
    unset = {spec.name for spec in DECLARED if not is_set(stack, spec)}
    assert unset - UNSET.keys() == set()
    assert UNSET.keys() <= {spec.name for spec in DECLARED}


def test_the_watchdog_never_stopped(stack: ObservedStack, alerts: AlertLog) -> None:
    assert [one.ended for one in alerts.episodes("Watchdog")] == [None]
