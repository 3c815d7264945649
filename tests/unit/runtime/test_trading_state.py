"""The kill switch on a real Redis: the strictest scope counts, and what cannot be read is never a permission."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from faust_app.runtime import trading_state
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.redis_keys import RedisKeys
from faust_app.runtime.settings import Settings
from faust_app.runtime.trading_state import ScopeState, TradingStateStore, TradingStateView, redis_client
from models.messages.control import TradingState
from tests.unit.runtime.configurations import configured, with_live
from tests.unit.runtime.loop_fakes import until
from tests.unit.runtime.ports import free_port
from tests.unit.runtime.redis_server import RedisServer

A, R, H = TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED
_namespaces = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    found = RedisServer(tmp_path_factory.mktemp("redis"))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def settings(server: RedisServer) -> Settings:
    """A namespace of its own; zerodha is live."""
    return with_live(configured(redis={"port": server.port}, namespace=f"t{next(_namespaces)}."))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trading_state, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(trading_state, "STALE_SECONDS", 0.5)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[TradingStateStore]:
    client = redis_client(settings)
    yield TradingStateStore(settings, client)
    await client.aclose()


@pytest.fixture
async def view(settings: Settings) -> AsyncIterator[TradingStateView]:
    found = TradingStateView(settings, "risk_manager.paper")
    following = asyncio.create_task(found.run())
    await until(lambda: found.is_current or following.done())
    yield found
    assert not following.done(), "nothing Redis holds ends the view"
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def apply(store: TradingStateStore, **scopes: TradingState) -> None:
    """Write states and wait until the view has them."""
    revision = 0
    async with asyncio.timeout(5):
        while "risk_manager.paper" not in await store.acknowledged():
            await asyncio.sleep(0.001)
    for scope, state in scopes.items():
        revision = await store.write(scope.replace("_", ":"), state, "me", "test")
    assert await store.wait_applied(revision, 5) == (["risk_manager.paper"], [])


@pytest.mark.parametrize("states", itertools.product([None, A, R, H], repeat=3))
def test_strictest_scope_that_concerns_the_strategy_counts(
    settings: Settings, states: tuple[TradingState | None, ...]
) -> None:
    view = TradingStateView(settings, "worker")
    scopes = dict(zip(("all", "broker:paper", "strategy:rsi"), states, strict=True))
    others = {"broker:zerodha": H, "strategy:momentum": H}
    known = {scope: state for scope, state in {**scopes, **others}.items() if state is not None}
    view._states = {scope: ScopeState(state, 1, "me", "") for scope, state in known.items()}
    order = [A, R, H]
    strictest = max((order.index(state) for state in states if state), default=0)
    without_strategy = max((order.index(state) for state in states[:2] if state), default=0)
    assert view.state_for("paper", "rsi") is order[strictest]
    assert view.state_for("paper", None) is order[without_strategy]


async def test_written_state_is_applied_with_who_and_why(store: TradingStateStore, view: TradingStateView) -> None:
    await apply(store, broker_paper=R)
    assert view.state_for("paper", "rsi") is R
    first = await store.write("all", H, "me|you", "limit | reached")
    await until(lambda: view.state_for("paper", None) is H)
    assert (await store.read())["all"] == ScopeState(H, first, "me/you", "limit | reached")
    assert await store.revision() == first


async def test_resuming_one_scope_leaves_the_others(store: TradingStateStore, view: TradingStateView) -> None:
    await apply(store, all=H, broker_paper=R, strategy_rsi=H)
    await apply(store, all=A)
    assert (view.state_for("paper", None), view.state_for("paper", "rsi")) == (R, H)


async def test_revisions_rise_whoever_writes(store: TradingStateStore) -> None:
    revisions = await asyncio.gather(*(store.write(f"strategy:{number}", H, "me", "") for number in range(20)))
    assert sorted(revisions) == list(range(1, 21))
    assert {scope.revision for scope in (await store.read()).values()} == set(revisions)


async def test_namespaces_do_not_halt_each_other(settings: Settings, store: TradingStateStore) -> None:
    await store.write("all", H, "me", "")
    other = settings.model_copy(update={"namespace": "other."})
    client = redis_client(other)
    assert await TradingStateStore(other, client).read() == {}
    await client.aclose()


async def test_change_is_pushed_faster_than_it_is_polled(
    store: TradingStateStore, view: TradingStateView, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.sleep(0.05)
    monkeypatch.setattr(trading_state, "POLL_SECONDS", 60)
    monkeypatch.setattr(trading_state, "STALE_SECONDS", 600)
    await asyncio.sleep(0.1)
    await store.write("all", H, "me", "")
    await until(lambda: view.state_for("paper", None) is H)


async def test_halt_names_the_workers_that_have_not_applied_it(store: TradingStateStore) -> None:
    await store.acknowledge("asleep", 0)
    await store.acknowledge("ahead", 99)
    revision = await store.write("all", H, "me", "")
    assert await store.wait_applied(revision, 0.1) == (["ahead"], ["asleep"])


async def test_worker_that_is_gone_is_not_waited_for(store: TradingStateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.acknowledge("gone", 0)
    monkeypatch.setattr(trading_state, "GONE_SECONDS", 0)
    assert await store.wait_applied(1, 5) == ([], [])


async def test_listener_hears_every_read(settings: Settings, store: TradingStateStore, view: TradingStateView) -> None:
    heard: list[TradingState] = []
    view.on_change(lambda: heard.append(view.state_for("paper", None)))
    await apply(store, all=R)
    assert heard[-1] is R


def test_before_the_first_read_live_is_halted_and_simulated_is_active(settings: Settings) -> None:
    view = TradingStateView(settings, "worker")
    assert not view.is_current
    assert view.state_for("zerodha", "rsi") is H
    assert view.state_for("paper", "rsi") is A


async def test_live_broker_without_any_state_is_halted(store: TradingStateStore, view: TradingStateView) -> None:
    """An empty Redis is what a lost one looks like."""
    assert view.is_current
    assert view.state_for("zerodha", "rsi") is H
    await apply(store, strategy_rsi=A)
    assert view.state_for("zerodha", "rsi") is H, "nobody has said that the broker may trade"
    await apply(store, broker_zerodha=A)
    assert view.state_for("zerodha", "rsi") is A
    assert view.state_for("paper", "rsi") is A


async def test_state_for_all_is_enough_for_a_live_broker(store: TradingStateStore, view: TradingStateView) -> None:
    await apply(store, all=A)
    assert view.state_for("zerodha", None) is A


@pytest.mark.parametrize("row", ["", "halted", "sleeping|1|me|why", "active|one|me|why", "active|1|me"])
async def test_row_that_cannot_be_read_halts_its_scope(
    settings: Settings, store: TradingStateStore, view: TradingStateView, row: str
) -> None:
    await apply(store, all=A)
    client = redis_client(settings)
    await client.hset(RedisKeys(settings).trading_states, "broker:paper", row)
    await client.aclose()
    await until(lambda: view.state_for("paper", "rsi") is H)
    assert view.state_for("zerodha", "rsi") is A, "only the scope of the row"
    await apply(store, broker_paper=A)
    assert view.state_for("paper", "rsi") is A


async def test_key_of_another_kind_counts_as_unreadable(
    settings: Settings, store: TradingStateStore, view: TradingStateView
) -> None:
    await apply(store, all=A, broker_paper=R)
    client = redis_client(settings)
    await client.delete(RedisKeys(settings).trading_states)
    await client.set(RedisKeys(settings).trading_states, "text")
    await client.aclose()
    await until(lambda: not view.is_current)
    assert (view.state_for("zerodha", None), view.state_for("paper", None)) == (H, R)


async def test_outage_keeps_a_simulated_account_and_halts_a_live_one(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.start()
    settings = with_live(configured(redis={"port": server.port}))
    client, view = redis_client(settings), TradingStateView(settings, "risk_manager.paper")
    store = TradingStateStore(settings, client)
    following = asyncio.create_task(view.run())
    try:
        await apply(store, all=A, broker_paper=R)
        server.stop()
        await until(lambda: not view.is_current)
        assert (view.state_for("paper", None), view.state_for("zerodha", None)) == (R, H)
        server.start()
        await until(lambda: view.is_current)
        assert (view.state_for("paper", None), view.state_for("zerodha", None)) == (R, A)
        await store.write("all", H, "me", "")
        await until(lambda: view.state_for("paper", None) is H)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await client.aclose()
        server.stop()


async def test_store_says_when_redis_is_away() -> None:
    settings = configured(redis={"port": free_port()})
    client = redis_client(settings)
    with pytest.raises(RedisError):
        await TradingStateStore(settings, client).write("all", H, "me", "")
    await client.aclose()


async def test_view_ends_whenever_it_is_cancelled(settings: Settings) -> None:
    """The Redis client swallows a cancellation that comes while it sends."""
    for number in range(40):
        following = asyncio.create_task(TradingStateView(settings, "worker").run())
        await asyncio.sleep(0.03 + 0.0005 * number)
        following.cancel()
        done, _ = await asyncio.wait([following], timeout=5)
        assert done


def test_password_comes_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    client = redis_client(configured(redis={"password_file": str(file)}))
    assert client.connection_pool.connection_kwargs["password"] == "s3cret"


def test_password_file_that_cannot_be_read_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"redis.password_file .*nowhere: No such file"):
        redis_client(configured(redis={"password_file": str(tmp_path / "nowhere")}))


def test_every_key_begins_with_the_namespace_and_is_used_once() -> None:
    keys = RedisKeys(configured(namespace="replay-1."))
    names = [keys.trading_states, keys.trading_revision, keys.trading_channel, keys.workers, keys.left]
    assert len(set(names)) == len(names)
    assert all(name.startswith("replay-1.alpha-panda:") for name in names)
