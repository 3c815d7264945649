"""The long proof of the live engine: a thousand seeded kills, and each fault of the broker with many seeds."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.crashes import FAULTS, crash_run, fault_run, new_exchange
from tests.chaos.incarnation import OF_ORDERS, Effect
from tests.exchange import Exchange
from tests.unit.runtime.redis_server import RedisServer

FIRST = int(os.environ.get("ALPHA_PANDA_CHAOS_FIRST_SEED", "0"))
CRASHES = int(os.environ.get("ALPHA_PANDA_CHAOS_SEEDS", "1000"))
SEEDS = max(1, min(20, CRASHES))
ORDERS = 50
AT_ONCE = 50  # crash runs on one exchange
LONGEST_RUN_SECONDS = 120
ENOUGH_KILLS = 180  # to look at how they are distributed

pytestmark = [pytest.mark.prove]
KILLS: Counter[Effect] = Counter()


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    """A new one for each test: reading a book of thousands of orders takes longer than a run."""
    running = new_exchange()
    yield running
    running.stop()


@pytest.mark.timeout(AT_ONCE * LONGEST_RUN_SECONDS)
@pytest.mark.parametrize("first", range(FIRST, FIRST + CRASHES, AT_ONCE))
async def test_kills_between_any_two_effects(
    exchange: Exchange, redis: RedisServer, tmp_path: Path, first: int
) -> None:
    for seed in range(first, min(first + AT_ONCE, FIRST + CRASHES)):
        print(f"seed {seed}")
        world = await crash_run(exchange, tmp_path, redis.port, seed, 5)
        KILLS.update(world.kills)


def test_every_kind_of_effect_had_its_share_of_the_kills() -> None:
    if KILLS.total() < ENOUGH_KILLS:
        pytest.skip(f"{KILLS.total()} kills; {ENOUGH_KILLS} are needed to tell")
    print({str(effect): KILLS[effect] for effect in OF_ORDERS})
    assert min(KILLS[effect] for effect in OF_ORDERS) >= KILLS.total() / len(OF_ORDERS) / 2


@pytest.mark.timeout(LONGEST_RUN_SECONDS)
@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_of_the_broker(
    exchange: Exchange, redis: RedisServer, tmp_path: Path, fault: str, seed: int
) -> None:
    began = time.monotonic()
    await fault_run(exchange, tmp_path, redis.port, fault, 1_000_000 + seed, ORDERS, is_alone=True)
    print(f"{fault}, seed {seed}: {time.monotonic() - began:.1f} s")
