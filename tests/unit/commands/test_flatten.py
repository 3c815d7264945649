"""`alpha-panda halt --flatten`: what is asked, written, followed and said, with workers made of Redis rows."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from faust_app.commands import control, flatten
from faust_app.commands.cli import _run
from faust_app.commands.flatten import BrokerLeft, brokers_of, summed_up
from faust_app.runtime.settings import Settings
from faust_app.runtime.trading_state import Left, TradingStateStore, redis_client
from models.messages.control import TradingState, TradingStateChanged
from tests.unit.runtime.configurations import configured
from tests.unit.runtime.redis_server import RedisServer

RISK, ENGINE = "risk_manager.paper", "trading_engine.paper"
_namespaces = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    found = RedisServer(tmp_path_factory.mktemp("redis"))
    found.start()
    yield found
    found.stop()


class World:
    """One broker. `says` are the rows its workers write again and again; `None` is a worker that is not there."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sent: list[TradingStateChanged] = []
        self.says: dict[str, list[str] | None] = {RISK: [], ENGINE: []}
        self.in_flight: dict[str, list[str]] = {}
        self._told, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._work()))

    async def _work(self) -> None:
        client = redis_client(self.settings)
        store = TradingStateStore(self.settings, client)
        while not self._stopped.is_set():
            revision = await store.revision()
            for worker, lines in self.says.items():
                if lines is not None:
                    await store.acknowledge(worker, revision, self.in_flight.get(worker, []))
                    await store.tell_left(worker, revision, lines)
            self._told.set()
            await asyncio.sleep(0.01)
        await client.aclose()

    def __enter__(self) -> World:
        """Once here, every worker has said that it runs: a switch waits only for those that have."""
        self._thread.start()
        assert self._told.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def read(self) -> dict[str, Any]:
        async def states() -> dict[str, Any]:
            client = redis_client(self.settings)
            try:
                return await TradingStateStore(self.settings, client).read()
            finally:
                await client.aclose()

        return asyncio.run(states())


@pytest.fixture
def world(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> World:
    settings = configured(
        redis={"port": server.port}, namespace=f"c{next(_namespaces)}.", brokers={"paper": {"enabled": True}}
    )
    found = World(settings)

    @asynccontextmanager
    async def control_events(_: object) -> AsyncIterator[Any]:
        async def publish(envelope: Any) -> None:
            found.sent.append(envelope.data)

        yield publish

    monkeypatch.setattr(control, "settings", lambda: settings)
    monkeypatch.setattr(control, "control_events", control_events)
    monkeypatch.setattr(flatten, "SETTLE_SECONDS", 0.2)
    monkeypatch.setattr(flatten, "POLL_SECONDS", 0.01)
    return found


def call(world: World, *arguments: str) -> int:
    with world:
        return _run(["halt", *arguments])


def test_it_says_what_it_did_and_ends_once_everything_is_flat(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(world, "--flatten", "--yes", "--reason", "news") == 0
    out = capsys.readouterr().out
    assert "all is reducing (revision 1); applied by risk_manager.paper, trading_engine.paper" in out
    assert "paper: 0 positions left, 0 orders working" in out
    assert "Flat: paper. Entries stay off until `alpha-panda resume`." in out
    assert world.read()["all"].flatten
    assert [(one.state, one.flatten, one.reason) for one in world.sent] == [(TradingState.REDUCING, True, "news")]


def test_what_is_left_when_the_time_is_over_is_listed(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.says = {RISK: ["rsi holds 10 NSE:INFY (MIS)"], ENGINE: ["SELL 10 NSE:INFY of rsi: working"]}
    assert call(world, "--flatten", "--yes", "--for", "0.3s") == 1
    captured = capsys.readouterr()
    assert "paper: 1 position left, 1 order working" in captured.out
    assert "paper: rsi holds 10 NSE:INFY (MIS)\n" in captured.err
    assert "paper: SELL 10 NSE:INFY of rsi: working\n" in captured.err
    assert "it goes on until `alpha-panda resume`" in captured.err


def test_a_worker_that_says_nothing_is_not_flat(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.says = {RISK: None, ENGINE: []}
    assert call(world, "--flatten", "--yes", "--for", "0.5s") == 1
    captured = capsys.readouterr()
    assert "paper: positions unknown left, 0 orders working" in captured.out
    assert "risk_manager.paper says nothing: is it running?" in captured.err


def test_a_moment_of_being_flat_is_not_the_end(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between an entry's fill at the engine and its arrival at risk neither has anything left."""
    monkeypatch.setattr(flatten, "SETTLE_SECONDS", 1.0)
    timer = threading.Timer(0.1, lambda: world.says.update({RISK: ["late"]}))
    timer.start()
    assert call(world, "--flatten", "--yes", "--for", "1.5s") == 1
    assert "paper: late" in capsys.readouterr().err


def test_it_asks_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("typer.confirm", asked.append)
    assert call(world, "--flatten", "--broker", "paper") == 1
    assert asked == ["Cancel all working orders and close all positions of broker:paper?"]
    assert world.read() == {}


def test_a_plain_halt_closes_nothing_and_names_the_calls_in_flight(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.in_flight = {ENGINE: ["order-1", "order-2"]}
    assert call(world) == 0
    assert "trading_engine.paper: calls in flight then: order-1, order-2" in capsys.readouterr().out
    found = world.read()["all"]
    assert (found.state, found.flatten) == (TradingState.HALTED, False)


def test_a_duration_that_is_none_is_refused_before_anything_is_written(world: World) -> None:
    assert call(world, "--flatten", "--yes", "--for", "soon") == 2
    assert world.read() == {}


def test_scopes_and_brokers() -> None:
    config = configured()
    assert brokers_of(config, "all") == brokers_of(config, "strategy:rsi") == ("paper", "zerodha")
    assert brokers_of(config, "broker:paper") == ("paper",)


def test_what_a_worker_said_before_it_knew_of_the_wish_does_not_count() -> None:
    left = {RISK: Left(6, ()), ENGINE: Left(7, ())}
    assert summed_up(left, ("paper",), 7) == {"paper": BrokerLeft(None, ())}
    assert summed_up(left, ("paper",), 6)["paper"].is_flat
