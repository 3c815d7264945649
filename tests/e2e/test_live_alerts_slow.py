"""The live stack under its own Prometheus, part two of what alerts tell: faults that take their time. For `make prove`.

Tests run in their order.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Event, Thread

import psutil
import pytest
from sqlalchemy import text

from faust_app.runtime.database import create_engine, transaction
from faust_app.runtime.order_budget import KEPT_A_DAY, MOST_A_DAY
from faust_app.runtime.redis_keys import RedisKeys
from faust_app.runtime.trading_state import redis_client
from tests.e2e.conftest import MOST_LAG
from tests.e2e.freezing import frozen
from tests.e2e.observed import SLOW_SECONDS, ObservedStack, Watched
from tests.promtools import required
from tests.running_stack import reasons, run, wait_for
from trading.market.sessions import IST

pytestmark = [pytest.mark.prove, pytest.mark.timeout(900)]
BROKER = "zerodha"
LONG_SECONDS = 180.0  # for alerts that wait a minute or two themselves
HELD_UP, FREE = 0.7, 0.1  # seconds; the loop is looked at twice a second
LOCK_SECONDS, LOCKS = 1.5, 12


@pytest.fixture
def stack(observed: ObservedStack) -> ObservedStack:
    return observed


def test_a_dead_session_and_a_worker_that_dies_again_and_again_are_told(stack: ObservedStack, watched: Watched) -> None:
    stack.exchange("POST", "/token/expire")
    expired = time.monotonic()
    for _ in range(2):
        died = kill(stack, "portfolio_manager.paper")
    watched.fires("SessionInvalid", expired, broker=BROKER)
    watched.fires("WorkerRestarts", died, worker="portfolio_manager.paper")
    stack.log_in()
    watched.clears("SessionInvalid", time.monotonic())


def kill(stack: ObservedStack, worker: str) -> float:
    """Kill it, and wait until Prometheus has seen its successor; when it was killed."""
    started = f'alpha_panda_worker_start_timestamp_seconds{{worker="{worker}"}}'
    before = wait_for(lambda: stack.value(started), f"a scrape of {worker}")
    pid = stack.worker_pid(worker)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    wait_for(lambda: stack.value(started) not in (before, None), f"the restart of {worker}", SLOW_SECONDS)
    return killed


def test_a_ledger_that_falls_behind_and_a_blind_monitor_are_told(stack: ObservedStack, watched: Watched) -> None:
    port = stack.ports()["ledger"]
    with frozen(stack, "postgres"):
        away = time.monotonic()
        told = wait_for(lambda: reasons(port).get("lag"), "the ledger's lag", SLOW_SECONDS)
        assert told.endswith(f"messages wait to be handled; the limit is {MOST_LAG}")
        watched.fires("DependencyDown", away, dependency="postgres")
        watched.fires("StageStalled", away, SLOW_SECONDS, worker="ledger")
        watched.fires("WorkerNotReady", away, 2 * SLOW_SECONDS, worker="ledger")
    back = time.monotonic()
    watched.clears("DependencyDown", back, dependency="postgres")
    watched.clears("StageStalled", back, worker="ledger")
    wait_for(lambda: not reasons(port), "readiness of the ledger", SLOW_SECONDS)
    with frozen(stack, "monitor"):
        watched.fires("MonitorBlind", time.monotonic(), SLOW_SECONDS)
    watched.clears("MonitorBlind", time.monotonic())


def test_a_broker_that_answers_no_question_is_told(stack: ObservedStack, watched: Watched) -> None:
    endpoints = ["GET /orders", "GET /trades", "GET /portfolio/*", "GET /user/margins*"]
    with stack.broken("bad_gateway", endpoints=endpoints, accepted=False):
        failing = time.monotonic()
        watched.fires("ReconciliationStale", failing, LONG_SECONDS, broker=BROKER)
        watched.fires("PreflightFailing", failing, LONG_SECONDS, broker=BROKER)
    ended = time.monotonic()
    watched.clears("ReconciliationStale", ended, LONG_SECONDS, broker=BROKER)
    watched.clears("PreflightFailing", ended, LONG_SECONDS, broker=BROKER)


def test_stops_that_cannot_be_placed_are_told(stack: ObservedStack, watched: Watched) -> None:
    with stack.broken("too_many_requests", endpoints=["POST /gtt/*"]):
        wait_for(lambda: stack.value("sum(alpha_panda_positions_unprotected)"), "a bare position", LONG_SECONDS)
        watched.fires("PositionsUnprotected", time.monotonic(), SLOW_SECONDS, broker=BROKER)
    watched.clears("PositionsUnprotected", time.monotonic(), LONG_SECONDS, broker=BROKER)


async def spend(stack: ObservedStack, calls: int) -> int:
    """Say how many calls were made today; how many it was before."""
    settings = stack.settings()
    client = redis_client(settings)
    key = RedisKeys(settings).order_calls(settings.account_key(BROKER), f"day:{datetime.now(IST).date().isoformat()}")
    try:
        return int(await client.getset(key, calls) or 0)
    finally:
        await client.aclose()


def test_a_budget_that_is_spent_is_told(stack: ObservedStack, watched: Watched) -> None:
    made = run(spend(stack, MOST_A_DAY - KEPT_A_DAY))
    watched.fires("OrderBudgetSpent", time.monotonic(), SLOW_SECONDS, broker=BROKER)
    run(spend(stack, made))
    watched.clears("OrderBudgetSpent", time.monotonic(), SLOW_SECONDS, broker=BROKER)


def test_exits_that_are_refused_again_and_again_are_told(stack: ObservedStack, watched: Watched) -> None:
    with stack.broken("reject", reason="circuit"):
        stack.command("halt", "--flatten", "--broker", BROKER, "--yes", "--for", "1s", code=None)
        watched.fires("ExitsGivenUp", time.monotonic(), LONG_SECONDS, broker=BROKER)
    stack.command("resume", "--broker", BROKER, "--yes")


@contextmanager
def held_up(stack: ObservedStack, worker: str) -> Iterator[None]:
    """Its process gets little time: it stands still, again and again."""
    pid, over = stack.worker_pid(worker), Event()
    assert pid is not None
    process = psutil.Process(pid)

    def work() -> None:
        while not over.wait(FREE):
            process.suspend()
            over.wait(HELD_UP)
            process.resume()

    thread = Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_worker_that_gets_no_time_is_told(stack: ObservedStack, watched: Watched) -> None:
    with held_up(stack, "trading_engine.paper"):
        watched.fires("EventLoopBlocked", time.monotonic(), 2 * SLOW_SECONDS, worker="trading_engine.paper")
    watched.clears("EventLoopBlocked", time.monotonic(), LONG_SECONDS)


def test_a_kafka_that_is_away_costs_ticks_and_a_start_goes_on(stack: ObservedStack, watched: Watched) -> None:
    """A client that starts while Kafka comes back may break for good: then its worker has to start again."""
    worker = "portfolio_manager.paper"
    before = stack.worker_pid(worker)
    assert before is not None
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: stack.worker_pid(worker) not in (before, None), "the restart")
    with frozen(stack, "kafka"):
        away = time.monotonic()
        watched.fires("DependencyDown", away, dependency="kafka")
        watched.fires("FeedDropsTicks", away, LONG_SECONDS)
    back = time.monotonic()
    watched.clears("DependencyDown", back, dependency="kafka")
    watched.clears("FeedDropsTicks", back, LONG_SECONDS)
    wait_for(stack.all_ready, "readiness of all workers", LONG_SECONDS)


async def lock(stack: ObservedStack) -> None:
    """Somebody holds the audit trail for a while, several times."""
    engine = create_engine(stack.settings(), pool_size=1)
    for _ in range(LOCKS):
        async with transaction(engine) as connection:
            await connection.execute(text("lock table audit in access exclusive mode"))
            await connection.execute(text(f"select pg_sleep({LOCK_SECONDS})"))
    await engine.dispose()


def test_statements_that_wait_for_locks_are_told(stack: ObservedStack, watched: Watched) -> None:
    locked = time.monotonic()
    run(lock(stack))
    watched.fires("SlowQueries", locked, LONG_SECONDS, worker="ledger")


SPOILED = """insert into limits values ('paper:main', '', '{"max_daily_loss": "NaN"}', now())"""


def test_a_loss_nobody_limits_is_told(stack: ObservedStack, watched: Watched) -> None:
    async def spoil() -> None:
        engine = create_engine(stack.settings(), pool_size=1)
        async with transaction(engine) as connection:
            await connection.execute(text(SPOILED))
        await engine.dispose()

    stack.command("limits", "reset", "--account", "paper")
    run(spoil())
    spoiled = time.monotonic()
    watched.fires("DayLossUnwatched", spoiled, LONG_SECONDS, broker="paper")
    stack.command("limits", "reset", "--account", "paper")
    watched.clears("DayLossUnwatched", time.monotonic(), SLOW_SECONDS, broker="paper")


def test_an_alertmanager_that_takes_nothing_is_told(stack: ObservedStack, watched: Watched) -> None:
    required("alertmanager")
    with frozen(stack, "alertmanager"):
        watched.fires("AlertingBroken", time.monotonic(), LONG_SECONDS)


def test_a_stage_that_falls_behind_for_minutes_is_told(stack: ObservedStack, watched: Watched) -> None:
    with frozen(stack, "strategy_runner"):
        stopped = time.monotonic()
        watched.fires("LagGrowing", stopped, 3 * LONG_SECONDS)
    watched.clears("LagGrowing", time.monotonic(), LONG_SECONDS)
