"""The account's order calls and its lease, on a real Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from faust_app.runtime import lease as lease_module
from faust_app.runtime import order_budget
from faust_app.runtime.lease import Lease
from faust_app.runtime.order_budget import Grant, OrderBudget, Verdict
from faust_app.runtime.redis_keys import RedisKeys
from faust_app.runtime.settings import INSTANCE_VARIABLE, Settings
from faust_app.runtime.trading_state import redis_client
from tests.unit.runtime.configurations import configured
from tests.unit.runtime.redis_server import RedisServer

ACCOUNT = "zerodha:main"
NOW = datetime(2026, 8, 20, 4, 0, tzinfo=UTC)
MOST_IN_A_SECOND = 9


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    found = RedisServer(tmp_path_factory.mktemp("redis"))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def settings(server: RedisServer) -> Settings:
    return configured(redis={"port": server.port})


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Redis]:
    found = redis_client(settings)
    await found.flushall()
    yield found
    await found.aclose()


@pytest.fixture
async def lease(settings: Settings, client: Redis) -> Lease:
    found = Lease(settings, client, ACCOUNT)
    await found.step()
    assert found.value
    return found


async def granted(budget: OrderBudget, lease: Lease, *, is_exit: bool = False) -> Grant:
    while True:
        found = await budget.take(lease.value, is_exit=is_exit, now=NOW)
        if found.verdict is not Verdict.WAIT:
            return found
        await asyncio.sleep(found.wait_seconds)


async def test_a_burst_of_two_processes_never_has_more_than_nine_calls_in_a_rolling_second(
    settings: Settings, client: Redis, lease: Lease
) -> None:
    times: list[float] = []

    async def burst(is_exit: bool) -> None:
        budget = OrderBudget(settings, client, ACCOUNT)
        for _ in range(9):
            assert (await granted(budget, lease, is_exit=is_exit)).verdict is Verdict.GRANTED
            times.append(time.monotonic())

    await asyncio.gather(burst(False), burst(True))
    times.sort()
    assert max(sum(at <= other < at + 1 for other in times) for at in times) <= MOST_IN_A_SECOND
    assert times[-1] - times[0] < len(times) / 8 + 1


async def test_an_exit_goes_ahead_of_its_turn_once(settings: Settings, client: Redis, lease: Lease) -> None:
    budget = OrderBudget(settings, client, ACCOUNT)
    verdicts = [
        (await budget.take(lease.value, is_exit=is_exit, now=NOW)).verdict for is_exit in (False, False, True, True)
    ]
    assert verdicts == [Verdict.GRANTED, Verdict.WAIT, Verdict.GRANTED, Verdict.WAIT]


@pytest.mark.parametrize(("is_exit", "most"), [(False, 3), (True, 5)])
async def test_the_minute_has_a_limit_and_keeps_room_for_exits(
    settings: Settings, client: Redis, lease: Lease, monkeypatch: pytest.MonkeyPatch, *, is_exit: bool, most: int
) -> None:
    monkeypatch.setattr(order_budget, "MOST_A_MINUTE", 5)
    monkeypatch.setattr(order_budget, "KEPT_A_MINUTE", 2)
    monkeypatch.setattr(order_budget, "INTERVAL", 0)
    budget = OrderBudget(settings, client, ACCOUNT)
    found = [await budget.take(lease.value, is_exit=is_exit, now=NOW) for _ in range(most + 1)]
    assert [one.verdict for one in found] == [Verdict.GRANTED] * most + [Verdict.WAIT]
    assert 59 < found[-1].wait_seconds <= 60


async def test_the_day_has_a_limit_and_another_day_its_own(
    settings: Settings, client: Redis, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_budget, "MOST_A_DAY", 2)
    monkeypatch.setattr(order_budget, "KEPT_A_DAY", 1)
    monkeypatch.setattr(order_budget, "INTERVAL", 0)
    budget = OrderBudget(settings, client, ACCOUNT)

    async def take(now: datetime, *, is_exit: bool) -> Verdict:
        return (await budget.take(lease.value, is_exit=is_exit, now=now)).verdict

    assert [await take(NOW, is_exit=False) for _ in range(2)] == [Verdict.GRANTED, Verdict.SPENT]
    assert [await take(NOW, is_exit=True) for _ in range(2)] == [Verdict.GRANTED, Verdict.SPENT]
    late = datetime(2026, 8, 20, 18, 30, tzinfo=UTC)  # midnight in India
    assert await take(late, is_exit=False) is Verdict.GRANTED


async def test_what_is_left_counts_the_last_minute_and_the_day(
    settings: Settings, client: Redis, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_budget, "INTERVAL", 0)
    budget = OrderBudget(settings, client, ACCOUNT)
    minute, day = 380 - 40, 4_900 - 200
    assert await budget.left(NOW) == {"minute": minute, "day": day}
    for is_exit in (True, False, False):
        await budget.take(lease.value, is_exit=is_exit, now=NOW)
    assert await budget.left(NOW) == {"minute": minute - 3, "day": day - 3}
    seconds, _ = await client.time()
    await client.lset(RedisKeys(settings).order_calls(ACCOUNT, "minute"), 2, (int(seconds) - 61) * 1_000_000)
    assert await budget.left(NOW) == {"minute": minute - 2, "day": day - 3}


async def test_nothing_is_left_below_nothing(
    settings: Settings, client: Redis, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MOST_A_MINUTE", "MOST_A_DAY"):
        monkeypatch.setattr(order_budget, name, 3)
    for name in ("KEPT_A_MINUTE", "KEPT_A_DAY"):
        monkeypatch.setattr(order_budget, name, 2)
    monkeypatch.setattr(order_budget, "INTERVAL", 0)
    budget = OrderBudget(settings, client, ACCOUNT)
    for _ in range(3):
        await budget.take(lease.value, is_exit=True, now=NOW)
    assert await budget.left(NOW) == {"minute": 0, "day": 0}


async def test_without_the_lease_nothing_is_granted(settings: Settings, client: Redis, lease: Lease) -> None:
    budget = OrderBudget(settings, client, ACCOUNT)
    for other in ("", "2|elsewhere/1"):
        assert (await budget.take(other, is_exit=True, now=NOW)).verdict is Verdict.NOT_RUNNER
    await client.delete(RedisKeys(settings).lease(ACCOUNT))
    assert (await budget.take(lease.value, is_exit=True, now=NOW)).verdict is Verdict.NOT_RUNNER
    assert (await budget.take("", is_exit=True, now=NOW)).verdict is Verdict.NOT_RUNNER


async def test_the_local_budget_of_exits_is_small(settings: Settings, client: Redis) -> None:
    budget = OrderBudget(settings, client, ACCOUNT)
    first, second = budget.take_locally(), budget.take_locally()
    assert (first.verdict, second.verdict) == (Verdict.GRANTED, Verdict.WAIT)
    assert 0 < second.wait_seconds <= 0.5


async def test_local_calls_keep_away_from_those_redis_granted(
    settings: Settings, client: Redis, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = order_budget.awake_seconds()
    monkeypatch.setattr(order_budget, "awake_seconds", lambda: now)
    budget = OrderBudget(settings, client, ACCOUNT)
    assert (await budget.take(lease.value, is_exit=True, now=NOW)).verdict is Verdict.GRANTED
    assert budget.take_locally().wait_seconds == pytest.approx(0.5)
    now += 0.5
    assert budget.take_locally().verdict is Verdict.GRANTED
    now += 0.24
    assert (await budget.take(lease.value, is_exit=True, now=NOW)).verdict is Verdict.WAIT
    now += 0.02
    assert (await budget.take(lease.value, is_exit=True, now=NOW)).verdict is Verdict.GRANTED


def test_a_grant_is_for_now(monkeypatch: pytest.MonkeyPatch) -> None:
    grant = Grant(Verdict.GRANTED, given_at=100.0)
    for now, is_fresh in ((100.09, True), (100.11, False), (4_000.0, False)):
        monkeypatch.setattr(order_budget, "awake_seconds", lambda now=now: now)
        assert grant.is_fresh is is_fresh
    assert not Grant(Verdict.WAIT, given_at=4_000.0).is_fresh


@pytest.fixture
def other(settings: Settings, client: Redis, monkeypatch: pytest.MonkeyPatch) -> Lease:
    """Of another process."""
    monkeypatch.setenv(INSTANCE_VARIABLE, "1")
    found = Lease(settings, client, ACCOUNT)
    monkeypatch.delenv(INSTANCE_VARIABLE)
    return found


async def test_a_restarted_worker_takes_its_lease_over_and_its_former_self_is_refused(
    settings: Settings, client: Redis, lease: Lease
) -> None:
    again = Lease(settings, client, ACCOUNT)
    await again.step()
    assert again.value.startswith("2|")
    budget = OrderBudget(settings, client, ACCOUNT)
    assert lease.value  # as far as it knows
    assert (await budget.take(lease.value, is_exit=True, now=NOW)).verdict is Verdict.NOT_RUNNER
    assert (await budget.take(again.value, is_exit=True, now=NOW)).verdict is Verdict.GRANTED


async def test_one_process_holds_the_lease_and_the_next_has_a_higher_fence(lease: Lease, other: Lease) -> None:
    await other.step()
    assert other.value == ""
    assert other.holder is not None
    assert other.holder.fence == 1
    await lease._release()
    assert lease.value == ""
    await other.step()
    assert other.value.startswith("2|")
    assert other.holder is None


async def test_a_process_that_was_suspended_does_not_hold_it_any_more(
    settings: Settings, client: Redis, lease: Lease, other: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = lease_module.awake_seconds()
    monkeypatch.setattr(lease_module, "awake_seconds", lambda: now + lease_module.LEASE_SECONDS)
    assert lease.value == ""
    await client.delete(RedisKeys(settings).lease(ACCOUNT))  # as it runs out meanwhile
    await other.step()
    await lease.step()
    assert lease.value == ""
    await lease.step()
    assert lease.holder is not None
    assert lease.holder.fence == 2


async def test_a_lease_is_kept_by_renewing_and_given_back_at_the_end(
    settings: Settings, client: Redis, lease: Lease
) -> None:
    key = RedisKeys(settings).lease(ACCOUNT)
    await client.pexpire(key, 500)
    await lease.step()
    assert await client.pttl(key) > 5_000
    running = asyncio.create_task(lease.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await client.get(key) is None


async def test_without_redis_there_is_an_error_and_no_lease(settings: Settings) -> None:
    nowhere = redis_client(configured(redis={"port": 1}))
    with pytest.raises((RedisError, OSError)):
        await Lease(settings, nowhere, ACCOUNT).step()
    with pytest.raises((RedisError, OSError)):
        await OrderBudget(settings, nowhere, ACCOUNT).take("1|x", is_exit=True, now=NOW)
