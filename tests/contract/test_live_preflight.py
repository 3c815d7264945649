"""A live engine on the sandbox exchange: while a check fails exits go and no entry does; once it passes, both."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.live.broker import LiveBroker
from agents.live.preflight.account import Compared
from agents.live.preflight.watch import NOT_YET
from agents.live.reconciliation import Reconciliation
from faust_app.runtime.reference_data import ReferenceData
from models.messages import ids
from models.messages.orders import OrderStatus, PlannedOrder
from tests.chaos.crashes import new_exchange, new_namespace
from tests.chaos.live_world import LiveWorld, live_settings, quick
from tests.exchange import Exchange
from tests.factories import order
from tests.unit.runtime.loop_fakes import until
from tests.unit.runtime.redis_server import RedisServer
from trading.market.instruments import InstrumentRegistry
from trading.market.sessions import trading_day

NUMBERS = itertools.count()  # the exchange outlives a test


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    found = RedisServer(tmp_path_factory.mktemp("redis"))
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    running = new_exchange()
    yield running
    running.stop()


class Account:
    """A live engine whose checks are run by hand, with PostgreSQL replaced."""

    def __init__(self, world: LiveWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.rounds: list[Compared | None] = [Compared(time.time(), (), 0)]
        self.days = dict.fromkeys(("NSE", "BSE", "NFO", "BFO"), trading_day(int(time.time())))

        async def days(_: object) -> Any:
            return self.days

        async def limits(*_: object) -> Any:
            return {}

        monkeypatch.setattr(ReferenceData, "load_days", days)
        monkeypatch.setattr(ReferenceData, "load_limits", limits)
        monkeypatch.setattr(Reconciliation, "latest", lambda _: self._round())

    async def _round(self) -> Compared | None:
        return self.rounds[-1]

    @property
    def live(self) -> LiveBroker:
        assert self.world.life is not None
        return self.world.life.live

    @property
    def unready(self) -> str:
        """What the worker's page says of preflight."""
        return self.live._worker.state.reasons.get("preflight", "")

    async def begin(self) -> None:
        """Start the engine, without its background checks, with today's instruments."""
        await self.world.run_until(self.world.is_idle, "a start")
        assert self.world.life is not None
        del self.live._preflight.refusal  # the world's stand-in
        self.world.life.engine._registry = InstrumentRegistry(self.world.instruments, self.days)

    async def send(self, *, reduces: bool = False, **values: Any) -> tuple[OrderStatus, str]:
        """Where an order ends up, and why."""
        name = f"order-{next(NUMBERS)}"
        instrument = self.world.instruments[0]
        given = {
            "order_id": ids.order_id(name, 0),
            "signal_id": name,
            "account": "zerodha:main",
            "instrument": instrument.key,
            "instrument_token": instrument.instrument_token,
            "tag": ids.order_tag(ids.order_id(name, 0)),
            "event_time": self.world.opened_at,
            "received_ns": int(self.world.now() * 1e9),
            "reduces": reduces,
        }
        one = order(**{**given, **values})
        self.world.accept(one)
        await self.world.run_until(lambda: self.world.has_settled([one]), "the order settles")
        return self.outcome(one)

    def outcome(self, one: PlannedOrder) -> tuple[OrderStatus, str]:
        record = self.world.records()[one.tag]
        is_sent = any(row["tag"] == one.tag for row in self.world.book())
        assert is_sent is (record.status is not OrderStatus.DENIED_LATE)
        return record.status, record.reason

    async def is_filled(self, *, reduces: bool = False) -> bool:
        return (await self.send(reduces=reduces))[0] is OrderStatus.FILLED

    async def is_denied(self, reason: str) -> bool:
        status, told = await self.send()
        return status is OrderStatus.DENIED_LATE and reason in told


@pytest.fixture
async def account(
    exchange: Exchange, redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Account]:
    settings = live_settings(exchange, tmp_path / "session", redis.port, new_namespace())
    found = Account(LiveWorld(exchange, settings), monkeypatch)
    with quick():
        await found.begin()
        yield found
        await found.world.end()


async def test_no_entry_goes_before_the_first_run_and_exits_do(account: Account) -> None:
    assert account.unready == NOT_YET
    assert await account.is_denied(NOT_YET)
    assert await account.is_filled(reduces=True)
    await account.live._preflight.once()
    assert account.unready == ""
    assert await account.is_filled()


async def test_entries_are_refused_with_the_reason_while_a_check_fails_and_pass_when_it_recovers(
    account: Account,
) -> None:
    await account.live._preflight.once()
    number = account.world.exchange.fault("server_error", endpoints=["GET /user/margins/*"])
    await account.live._preflight.once()
    assert account.unready.startswith("No entries: funds: ")
    assert await account.is_denied("Preflight: funds: ")
    assert await account.is_filled(reduces=True)
    account.world.exchange.ask("DELETE", f"/faults/{number}")
    await account.live._preflight.once()
    assert account.unready == ""
    assert await account.is_filled()


async def test_an_engine_without_reconciliation_opens_nothing(account: Account) -> None:
    account.rounds.append(None)
    await account.live._preflight.once()
    assert await account.is_denied("Preflight: reconciliation: There is no round yet")
    account.rounds.append(Compared(time.time(), (), 1))
    await account.live._preflight.once()
    assert await account.is_denied("Differences that block: 1")


async def test_an_engine_that_uses_yesterdays_instruments_opens_nothing(account: Account) -> None:
    assert account.world.life is not None
    account.world.life.engine._registry = InstrumentRegistry(account.world.instruments, {})
    await account.live._preflight.once()
    assert await account.is_denied("This worker uses older instruments")


async def test_an_order_off_the_tick_is_not_sent(account: Account) -> None:
    await account.live._preflight.once()
    one = account.world.instruments[0]
    status, reason = await account.send(order_type="LIMIT", limit_price=one.tick_size * 100 + one.tick_size / 5)
    assert (status, reason.startswith("A price of ")) == (OrderStatus.DENIED_LATE, True)


async def test_the_engine_runs_the_checks_by_itself(account: Account) -> None:
    assert account.world.life is not None
    running = asyncio.create_task(dict(account.world.life._background)["preflight"]())
    await until(lambda: account.unready == "")
    running.cancel()
    assert await account.is_filled()
