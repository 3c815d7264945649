"""The kill switch on a real Redis: the strictest scope counts, every worker acknowledges, an outage is survived."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from faust_app.runtime.sections import Execution
from faust_app.runtime.settings import Settings
from faust_app.runtime.trading_state import TradingStateStore, TradingStateView, redis_client
from models.messages.control import TradingState

S = TradingState


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[TradingStateStore]:
    client = redis_client(settings)
    yield TradingStateStore(settings, client)
    await client.aclose()


async def test_strictest_scope_counts_and_revisions_rise(settings: Settings, store: TradingStateStore) -> None:
    view = TradingStateView(settings, "worker")
    following = asyncio.create_task(view.run())
    while "worker" not in await store.acknowledged():
        await asyncio.sleep(0)
    first = await store.write("strategy:rsi", S.REDUCING, "me", "why | so")
    second = await store.write("broker:paper", S.HALTED, "me", "")
    assert second == first + 1
    applied, late = await store.wait_applied(second, 5)
    assert (applied, late) == (["worker"], [])
    assert view.state_for("paper", "momentum") is S.HALTED
    assert view.state_for("zerodha", "rsi") is S.REDUCING
    assert view.state_for("zerodha", "momentum") is S.ACTIVE
    assert (await store.read())["strategy:rsi"].reason == "why | so"
    following.cancel()


async def test_worker_that_does_not_follow_is_named(settings: Settings, store: TradingStateStore) -> None:
    await store.acknowledge("asleep", 0)
    revision = await store.write("all", S.HALTED, "me", "")
    assert await store.wait_applied(revision, 0.2) == ([], ["asleep"])


async def test_unreadable_state_halts_live_accounts_only(settings: Settings) -> None:
    live = settings.brokers["zerodha"].model_copy(update={"execution": Execution.LIVE})
    redis = settings.redis.model_copy(update={"port": 1})
    away = settings.model_copy(update={"redis": redis, "brokers": {**settings.brokers, "zerodha": live}})
    view = TradingStateView(away, "worker")
    assert view.state_for("paper", None) is S.ACTIVE
    assert view.state_for("zerodha", None) is S.HALTED
