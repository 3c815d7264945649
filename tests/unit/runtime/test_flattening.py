"""Closing positions is a part of the trading state, on a real Redis: whose, until when, and what is left."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from faust_app.runtime import trading_state
from faust_app.runtime.settings import Settings
from faust_app.runtime.trading_state import Flattening, Left, TradingStateStore, TradingStateView, redis_client
from models.messages.control import TradingState
from tests.unit.runtime.configurations import configured, with_live
from tests.unit.runtime.loop_fakes import until
from tests.unit.runtime.redis_server import RedisServer

A, R, H = TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED
WORKER = "trading_engine.zerodha"
_namespaces = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    found = RedisServer(tmp_path_factory.mktemp("redis"))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def settings(server: RedisServer) -> Settings:
    return with_live(configured(redis={"port": server.port}, namespace=f"f{next(_namespaces)}."))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trading_state, "POLL_SECONDS", 0.02)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[TradingStateStore]:
    client = redis_client(settings)
    yield TradingStateStore(settings, client)
    await client.aclose()


@pytest.fixture
async def view(settings: Settings) -> AsyncIterator[TradingStateView]:
    found = TradingStateView(settings, WORKER)
    following = asyncio.create_task(found.run())
    await until(lambda: found.is_current)
    yield found
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def flatten(store: TradingStateStore, scope: str) -> int:
    return await store.write(scope, R, "me", "news | bad", flatten=True)


async def test_nothing_is_closed_unless_it_is_wanted(store: TradingStateStore, view: TradingStateView) -> None:
    await store.write("all", H, "me", "")
    await until(lambda: view.state_for("paper", None) is H)
    assert not view.flattening("paper")
    assert not view.flattening("paper").concerns("rsi")


async def test_everything_at_every_broker(store: TradingStateStore, view: TradingStateView) -> None:
    revision = await flatten(store, "all")
    await until(lambda: view.flattening("paper"))
    assert view.flattening("zerodha") == Flattening(revision, everything=True)
    assert view.flattening("zerodha").concerns("rsi")
    assert view.state_for("zerodha", "rsi") is R
    found = (await store.read())["all"]
    assert (found.state, found.flatten, found.reason) == (R, True, "news | bad")


async def test_one_broker_and_some_strategies(store: TradingStateStore, view: TradingStateView) -> None:
    await flatten(store, "strategy:rsi")
    await flatten(store, "strategy:momentum")
    last = await flatten(store, "broker:paper")
    await until(lambda: view.flattening("paper").revision == last)
    assert view.flattening("paper") == Flattening(last, everything=True, strategies=("momentum", "rsi"))
    assert view.flattening("zerodha") == Flattening(last - 1, strategies=("momentum", "rsi"))
    assert not view.flattening("zerodha").concerns("pairs")


@pytest.mark.parametrize("state", [A, R, H])
async def test_the_next_state_of_the_scope_ends_it(
    store: TradingStateStore, view: TradingStateView, state: TradingState
) -> None:
    await flatten(store, "all")
    await flatten(store, "strategy:rsi")
    await until(lambda: len(view.flattening("paper").strategies) == 1)
    await store.write("all", state, "me", "")
    await until(lambda: not view.flattening("paper").everything)
    assert view.flattening("paper").concerns("rsi"), "another scope's wish stays"


async def test_a_version_that_does_not_know_of_it_halts() -> None:
    """What is stored is no state of the enumeration."""
    with pytest.raises(ValueError, match="reducing\\+flatten"):
        TradingState("reducing+flatten")


async def test_calls_in_flight_are_those_when_the_revision_was_applied(
    store: TradingStateStore, view: TradingStateView
) -> None:
    drained, calls = asyncio.Event(), ["entry", "exit"]
    view.on_halt(drained.wait, lambda: list(calls))  # type: ignore[arg-type]
    revision = await store.write("all", H, "me", "")
    calls.remove("entry")
    drained.set()
    assert await store.wait_applied(revision, 5) == ([WORKER], [])
    calls.append("later")
    await asyncio.sleep(0.1)  # some reads later
    assert await store.calls_in_flight(revision) == {WORKER: ["exit"]}
    assert await store.calls_in_flight(revision + 1) == {}


async def test_what_is_left_is_told_while_positions_are_closed(
    store: TradingStateStore, view: TradingStateView
) -> None:
    lines = ["rsi holds 10 NSE:INFY (MIS)", "5 | with a bar"]
    view.on_flatten(lambda: list(lines))
    await store.write("all", H, "me", "")
    await until(lambda: view.state_for("paper", None) is H)
    assert await store.left() == {}
    revision = await flatten(store, "all")
    async with asyncio.timeout(5):
        while (found := await store.left()) != {WORKER: Left(revision, tuple(lines))}:
            await asyncio.sleep(0.005)
    lines.clear()
    async with asyncio.timeout(5):
        while (found := await store.left())[WORKER].lines:
            await asyncio.sleep(0.005)
    assert found == {WORKER: Left(revision, ())}


async def test_a_worker_that_does_not_know_yet_tells_nothing(store: TradingStateStore, view: TradingStateView) -> None:
    """Before its tables are recovered it would seem flat."""
    asked = []
    view.on_flatten(lambda: asked.append(None))  # type: ignore[func-returns-value,arg-type]
    await flatten(store, "all")
    await until(lambda: len(asked) > 2)
    assert await store.left() == {}


async def test_a_worker_that_is_gone_tells_nothing(store: TradingStateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.tell_left("gone", 1, ["something"])
    assert await store.left() == {"gone": Left(1, ("something",))}
    monkeypatch.setattr(trading_state, "GONE_SECONDS", 0)
    assert await store.left() == {}
