"""A live engine loses and doubles nothing, whatever kills it and whatever the broker does: a sample of `make prove`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.crashes import FAULTS, crash_run, fault_run, new_exchange
from tests.exchange import Exchange
from tests.unit.runtime.redis_server import RedisServer

SEEDS = range(12)
ORDERS = 5
FAULTY_ORDERS = 8


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    running = new_exchange()
    yield running
    running.stop()


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_kill_between_any_two_effects_loses_and_doubles_nothing(
    exchange: Exchange, redis: RedisServer, tmp_path: Path, seed: int
) -> None:
    print(f"seed {seed}")
    world = await crash_run(exchange, tmp_path, redis.port, seed, ORDERS)
    print(world.kills)


@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_the_broker_does_both_sides_say_the_same_in_the_end(
    exchange: Exchange, redis: RedisServer, tmp_path: Path, fault: str
) -> None:
    seed = sum(map(ord, fault))
    print(f"seed {seed}")
    await fault_run(exchange, tmp_path, redis.port, fault, seed, FAULTY_ORDERS)
