"""Real Kafka, PostgreSQL and Redis on free ports, shared by the integration tests; each test gets its own namespace."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from faust_app.runtime.settings import Settings, merge
from stack.infrastructure import any_endpoints, start, stop
from stack.supervisor import Supervisor

START_SECONDS = 120.0
_numbers = count(1)


class Infrastructure:
    """The servers, on an event loop of their own."""

    def __init__(self, state: Path) -> None:
        self.endpoints = any_endpoints(state)
        self._state = state
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._supervisor: Supervisor

    def start(self) -> None:
        """Start them and wait until they answer."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(START_SECONDS)

    async def _start(self) -> None:
        self._supervisor = Supervisor(self._state / "logs")
        await start(self._supervisor, self._state, self.endpoints)

    def stop(self) -> None:
        """Stop them."""
        asyncio.run_coroutine_threadsafe(stop(self._supervisor), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._supervisor.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture(scope="session")
def infrastructure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infrastructure]:
    """The running servers."""
    servers = Infrastructure(tmp_path_factory.mktemp("infrastructure"))
    servers.start()
    yield servers
    servers.stop()


@pytest.fixture
def settings(infrastructure: Infrastructure, tmp_path: Path) -> Settings:
    """Settings of a fresh namespace on those servers, with two simulated brokers."""
    layer = {
        "namespace": f"test-{next(_numbers)}.",
        "brokers": {"paper": {"enabled": True}, "zerodha": {"enabled": True}},
        "worker": {"data_directory": str(tmp_path / "tables")},
        "stack": {"state_directory": str(tmp_path / "state")},
    }
    return Settings(**merge(infrastructure.endpoints.overlay(), layer))
