"""A live account on a sandbox of its own, whose strategy asks for stops."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.chaos.crashes import new_exchange, new_namespace
from tests.chaos.live_world import live_settings
from tests.contract.protection.world import STOP, STRATEGY, ProtectedWorld, quick_rounds
from tests.exchange import Exchange
from tests.unit.runtime.redis_server import RedisServer


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    found = RedisServer(tmp_path_factory.mktemp("redis"))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    running = new_exchange()
    yield running
    running.stop()


@pytest.fixture
async def world(exchange: Exchange, redis: RedisServer, tmp_path: Path) -> AsyncIterator[ProtectedWorld]:
    found = ProtectedWorld(exchange, live_settings(exchange, tmp_path / "session", redis.port, new_namespace()))
    found.asked = {STRATEGY: STOP}
    with quick_rounds():
        await found.run_until(lambda: found.life is not None, "begin")
        found.price("1000")
        yield found
        await found.end()
