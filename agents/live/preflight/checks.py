"""Asks whom a check needs: the broker, PostgreSQL, Redis, the system. What the answers mean is decided elsewhere."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable
from datetime import date
from pathlib import Path

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from agents.feed.watchlist import read_watchlist
from agents.live.preflight.account import (
    Latest,
    judge_funds,
    judge_kill_switch,
    judge_lease,
    judge_limits,
    judge_reconciliation,
    judge_session,
)
from agents.live.preflight.result import Check, Result, Step, failed, skipped
from agents.live.preflight.surroundings import (
    Moment,
    Way,
    clock_skew,
    judge_calendar,
    judge_clock,
    judge_egress,
    judge_instruments,
)
from brokers.errors import BrokerFailure, SessionRefused
from brokers.zerodha.client import ZerodhaClient
from brokers.zerodha.egress import host_of, local_address
from brokers.zerodha.session import SessionState, SessionView
from faust_app.runtime import metrics
from faust_app.runtime.errors import ConfigurationError, RuntimeFailure, one_sentence
from faust_app.runtime.lease import awake_seconds, owner_name, read_holder
from faust_app.runtime.reference_data import ReferenceData
from faust_app.runtime.sections import Execution
from faust_app.runtime.settings import PROJECT, Settings
from faust_app.runtime.trading_state import TradingStateStore
from trading.market.instruments import InstrumentRegistry
from trading.market.sessions import trading_day

STEP_SECONDS = 20.0
Loaded = Callable[[], Awaitable[InstrumentRegistry]]
C = Check


class Checks:
    """The checks a command and a live engine share. `loaded` are the instruments in use; `now` is the wall clock."""

    def __init__(
        self,
        config: Settings,
        broker: str,
        client: ZerodhaClient,
        session: SessionView,
        loaded: Loaded,
        reconciled: Latest,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._broker = broker
        self._client = client
        self._session = session
        self._loaded = loaded
        self._reconciled = reconciled
        self._now = now
        self._reference = ReferenceData(config)
        self._looked: Moment | None = None
        self._watching = asyncio.Lock()
        self._watched: tuple[InstrumentRegistry, frozenset[str]] | None = None

    def steps(self) -> tuple[Step, ...]:
        """What can be asked at the same time."""
        return (
            Step((C.SESSION, C.CLOCK), self._session_and_clock),
            Step((C.EGRESS,), self._egress),
            Step((C.INSTRUMENTS,), self._instruments),
            Step((C.CALENDAR,), self._calendar),
            Step((C.FUNDS,), self._funds),
            Step((C.LIMITS,), self._limits),
            Step((C.RECONCILIATION,), self._reconciliation),
        )

    def _today(self) -> date:
        return trading_day(int(self._now()))

    async def _session_and_clock(self) -> tuple[Result, ...]:
        if self._session.state is not SessionState.VALID:
            return self._without_session()
        try:
            exchanges = await self._exchanges()
        except RuntimeFailure:  # the checks of instruments and calendar say so
            exchanges = frozenset()
        before = self._looked or self._moment()
        try:
            greeting = await self._client.greet()
        except SessionRefused:  # another check has just found out
            return self._without_session()
        self._looked = self._moment()
        skew = clock_skew(greeting)
        if skew is not None:
            metrics.CLOCK_SKEW.labels(self._broker).set(skew)
        return (
            judge_session(greeting, self._session.expires_at, exchanges),
            judge_clock(greeting, self._looked, before, self._config.kite.clock_tolerance_seconds),
        )

    def _without_session(self) -> tuple[Result, ...]:
        self._looked = self._moment()
        return (
            failed(C.SESSION, self._session.reason),
            skipped(C.CLOCK, "Not compared: the broker is not asked without a session"),
        )

    def _moment(self) -> Moment:
        return Moment(self._now(), awake_seconds())

    async def _egress(self) -> tuple[Result, ...]:
        if self._config.brokers[self._broker].execution is Execution.DRY_RUN:
            return (skipped(C.EGRESS, "A dry run sends no orders"),)
        kite = self._config.kite
        bound = str(kite.bind_address or "")
        local, remote = await asyncio.to_thread(local_address, kite.root, bound)
        host = host_of(kite.root)
        way = Way(host, local, remote, is_kite=host == host_of(None))
        return (judge_egress(way, kite.egress_address, kite.bind_address),)

    async def _instruments(self) -> tuple[Result, ...]:
        stored = await self._reference.load_days()
        loaded = await self._loaded()
        return (judge_instruments(await self._exchanges(), stored, loaded.days, self._today()),)

    async def _calendar(self) -> tuple[Result, ...]:
        return (judge_calendar(self._today(), await self._exchanges()),)

    async def _exchanges(self) -> frozenset[str]:
        """Where instruments are subscribed to. Raises ConfigurationError, TransientError."""
        async with self._watching:
            loaded = await self._loaded()
            if not len(loaded):
                raise ConfigurationError("No instruments are loaded: see `alpha-panda instruments load --help`")
            if self._watched is None or self._watched[0] is not loaded:
                file = PROJECT / self._config.feed.instruments_file
                found = await asyncio.to_thread(read_watchlist, file, loaded)
                self._watched = loaded, frozenset(one.exchange for one in found)
            return self._watched[1]

    async def _funds(self) -> tuple[Result, ...]:
        if self._session.state is not SessionState.VALID:
            return (failed(C.FUNDS, "Not read: the broker is not asked without a session"),)
        return (judge_funds(await self._client.funds(), self._config.brokers[self._broker].least_funds),)

    async def _limits(self) -> tuple[Result, ...]:
        account = self._config.account_key(self._broker)
        rows = await self._reference.load_limits(account)
        return (judge_limits(account, self._config.risk.model_dump(), rows),)

    async def _reconciliation(self) -> tuple[Result, ...]:
        return (judge_reconciliation(await self._reconciled(), self._now()),)


def control_steps(config: Settings, broker: str, redis: Redis) -> tuple[Step, ...]:
    """The checks of a command alone: a live engine looks at kill switch and lease before every call."""

    async def kill_switch() -> tuple[Result, ...]:
        return (judge_kill_switch(await TradingStateStore(config, redis).read(), broker),)

    async def lease() -> tuple[Result, ...]:
        holder = await read_holder(config, redis, config.account_key(broker))
        return (judge_lease(holder, owner_name().partition("/")[0]),)

    return Step((C.KILL_SWITCH,), kill_switch), Step((C.LEASE,), lease)


async def take(step: Step) -> tuple[Result, ...]:
    """Take a step. Raises nothing: what cannot be asked has failed."""
    try:
        async with asyncio.timeout(STEP_SECONDS):
            return await step.work()
    except (BrokerFailure, RuntimeFailure) as error:
        sentence = one_sentence(error)
    except TimeoutError:
        sentence = f"No answer within {STEP_SECONDS:.0f} s"
    except RedisError as error:
        sentence = f"Redis does not answer ({type(error).__name__})"
    except asyncpg.PostgresError as error:
        sentence = f"PostgreSQL refuses: {one_sentence(error)}"
    except Exception as error:  # a bug: its text may hold anything
        sentence = f"It could not be checked ({type(error).__name__} at {_place(error)})"
    return tuple(failed(check, sentence) for check in step.checks)


def _place(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


async def take_all(steps: Iterable[Step]) -> list[Result]:
    """Every result, in the order of the checks."""
    found = {one.check: one for results in await asyncio.gather(*map(take, steps)) for one in results}
    return [found[check] for check in Check if check in found]
