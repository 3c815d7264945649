"""`alpha-panda halt` in the middle of a burst of entries: what reaches the exchange after it was acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from faust_app.runtime.settings import PROJECT
from faust_app.runtime.trading_state import TradingStateStore, redis_client
from models.messages.control import TradingState
from models.messages.orders import OrderStatus, OrderType, PlannedOrder
from models.messages.ticks import to_rupees
from tests.chaos.crashes import new_exchange
from tests.chaos.live_world import ENDS, LiveWorld, live_settings, quick
from tests.exchange import Exchange
from tests.factories import order
from tests.unit.runtime.redis_server import RedisServer

ENTRIES = 500
RESTING = 5
LATE_SECONDS = 0.1
SLOW_SECONDS = 0.4  # of each call
PACE_MICROSECONDS = 10_000
S = OrderStatus


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    running = new_exchange()
    yield running
    running.stop()


@pytest.fixture
async def world(exchange: Exchange, redis: RedisServer, tmp_path: Path) -> AsyncIterator[LiveWorld]:
    """A live engine that follows the trading state in Redis; the operator has let it trade."""
    found = LiveWorld(exchange, live_settings(exchange, tmp_path / "session", redis.port, "halt."))
    found.trading_state = None
    client = redis_client(found.settings)
    await TradingStateStore(found.settings, client).write("all", TradingState.ACTIVE, "test", "")
    await client.aclose()
    with quick(PACE_MICROSECONDS, look_seconds=0.05):
        yield found
        await found.end()


def entry(world: LiveWorld, name: str, **values: Any) -> PlannedOrder:
    """One that fills at once."""
    instrument = world.instruments[0]
    return order(
        order_id=name,
        signal_id=name,
        tag=name,
        account="zerodha:main",
        instrument=instrument.key,
        instrument_token=instrument.instrument_token,
        quantity=1,
        event_time=world.opened_at,
        received_ns=int(world.now() * 1e9),
        **values,
    )


def resting(world: LiveWorld, name: str) -> PlannedOrder:
    price = to_rupees(world.prices[world.instruments[0].key]) - 50
    return entry(world, name, order_type=OrderType.LIMIT, limit_price=price)


@dataclass
class Operator:
    """Who uses the command line, on this world's Redis. There is no Kafka: the switch does not need it."""

    world: LiveWorld

    async def says(self, *command: str) -> tuple[float, str]:
        """When the command told what it did, by this machine's monotonic clock, and its words."""
        settings = self.world.settings
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ALPHA_PANDA")} | {
            "ALPHA_PANDA__NAMESPACE": settings.namespace,
            "ALPHA_PANDA__REDIS__PORT": str(settings.redis.port),
            "ALPHA_PANDA__KAFKA__BOOTSTRAP": "127.0.0.1:1",
        }
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "faust_app.commands.cli", *command,
            cwd=PROJECT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert running.stdout is not None
        line = (await running.stdout.readline()).decode()
        told_at = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            running.kill()
        await running.wait()
        return told_at, line


def is_following(world: LiveWorld) -> bool:
    """The engine has read the trading state."""
    return world.life is not None and world.life.engine._trading_state.is_current


def arrivals(world: LiveWorld) -> dict[str, float]:
    """When each order we sent arrived at the exchange, by tag."""
    calls = world.exchange.ask("GET", "/calls")
    return {one["fields"]["tag"]: one["monotonic"] for one in calls if one["method"] == "POST"}


async def test_no_entry_arrives_later_than_100_ms_after_the_acknowledgement_of_a_halt(
    world: LiveWorld, redis: RedisServer
) -> None:
    operator = Operator(world)
    await world.run_until(lambda: is_following(world), "the engine follows")
    working = [resting(world, f"resting{number}") for number in range(RESTING)]
    for one in working:
        world.accept(one)
    await world.run_until(lambda: world.has_settled(working), "they rest")
    # calls wait for each other: without the wait for those on their way, some would arrive long after
    world.exchange.fault("slow", endpoints=["POST /orders/*", "GET /orders"], seconds=SLOW_SECONDS)
    burst = [entry(world, f"entry{number}") for number in range(ENTRIES)]
    for one in burst:
        world.accept(one)
    await world.run_until(lambda: world.exchange.sandbox.broker.calls.total > 2 * RESTING, "the burst has begun")
    told_at, line = await operator.says("halt", "--reason", "test")
    assert "all is halted" in line
    assert "applied by trading_engine.zerodha" in line
    leaving = [entry(world, f"exit{number}", reduces=True) for number in range(RESTING)]
    for one in leaving:
        world.accept(one)
    for one in working:
        world.cancel(one)
    await world.run_until(lambda: all(world.has_ended(one) for one in working), "cancels pass")
    await world.run_until(lambda: world.has_settled([*burst, *leaving]), "the burst settles")

    arrived = arrivals(world)
    sent = {one.tag for one in burst} & set(arrived)
    records = world.records()
    assert {one.tag for one in burst if records[one.tag].status is S.DENIED_LATE} == {one.tag for one in burst} - sent
    assert len(sent) > 10, "the halt came before the burst"
    assert len(sent) < ENTRIES - 10, "the halt came after the burst"
    last = max(arrived[tag] for tag in sent) - told_at
    print(f"{len(sent)} of {ENTRIES} entries were sent, the last {last * 1000:+.1f} ms from the acknowledgement")
    assert last <= LATE_SECONDS
    assert {records[one.tag].status for one in leaving} == {S.FILLED}
    assert {row["status"] for row in world.book() if row["tag"] in {one.tag for one in working}} == {"CANCELLED"}

    world.exchange.ask("DELETE", "/faults")
    await stays_halted(world, redis, operator)


async def stays_halted(world: LiveWorld, redis: RedisServer, operator: Operator) -> None:
    """Engine and Redis end and come back: entries stay refused until somebody lets the account trade again."""
    await world.end()
    redis.stop()
    redis.start()
    await world.run_until(lambda: is_following(world), "the engine follows again")
    denied, leaving = entry(world, "denied"), entry(world, "left", reduces=True)
    for one in (denied, leaving):
        world.accept(one)
    await world.run_until(lambda: world.has_settled([denied, leaving]), "after the restart")
    records = world.records()
    assert records["denied"].status is S.DENIED_LATE
    assert "halted" in records["denied"].reason
    assert "denied" not in arrivals(world)
    assert records["left"].status is S.FILLED
    _, line = await operator.says("resume", "--yes")
    assert "all is active" in line
    again = entry(world, "again")
    world.accept(again)
    await world.run_until(lambda: world.has_settled([again]), "trading again")
    assert world.records()["again"].status is S.FILLED
    assert all(row["status"] in ENDS for row in world.book())
