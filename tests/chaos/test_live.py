"""The long proof of the live engine: a thousand seeded kills, and each fault of the broker with many seeds."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.crashes import FAULTS, crash_run, fault_run, new_exchange
from tests.exchange import Exchange
from tests.unit.runtime.redis_server import RedisServer

FIRST = int(os.environ.get("ALPHA_PANDA_CHAOS_FIRST_SEED", "0"))
CRASHES = int(os.environ.get("ALPHA_PANDA_CHAOS_SEEDS", "1000"))
SEEDS = max(1, min(20, CRASHES))
ORDERS = 50
AT_ONCE = 50  # crash runs on one exchange

pytestmark = [pytest.mark.prove, pytest.mark.timeout(7200)]


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    running = new_exchange()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    found = RedisServer(tmp_path_factory.mktemp("redis"))
    found.start()
    yield found
    found.stop()


@pytest.mark.parametrize("first", range(FIRST, FIRST + CRASHES, AT_ONCE))
async def test_kills_between_any_two_effects(
    exchange: Exchange, redis: RedisServer, tmp_path: Path, first: int
) -> None:
    kills: Counter[str] = Counter()
    for seed in range(first, min(first + AT_ONCE, FIRST + CRASHES)):
        print(f"seed {seed}")
        world = await crash_run(exchange, tmp_path, redis.port, seed, 5)
        kills.update(world.kills)
    print(dict(kills))


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_of_the_broker(exchange: Exchange, redis: RedisServer, tmp_path: Path, fault: str) -> None:
    for seed in range(FIRST, FIRST + SEEDS):
        print(f"seed {seed}")
        await fault_run(exchange, tmp_path, redis.port, fault, 1_000_000 + seed, ORDERS)
