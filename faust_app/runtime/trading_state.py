"""The kill switch: trading states in Redis, pushed to every worker and polled.

A state belongs to a scope: `all`, `broker:<name>` or `strategy:<instance>`; the strictest one counts. Workers follow
with a `TradingStateView`, which also notes the revision it has applied, so that `halt` can wait for every one.
While Redis is away a simulated account keeps the last known state; a live one is HALTED for entries, and so it is
until a state of `all` or of its broker says otherwise.

A scope may also have its positions closed (`flatten`) until its state is set anew. As long as it does, the workers note
what is left, so that `halt --flatten` can tell. While Redis is away the last known wish goes on.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.redis_keys import ALL, RedisKeys
from faust_app.runtime.settings import Settings
from models.messages.control import TradingState

log = structlog.get_logger(__name__)
POLL_SECONDS = 0.5
STALE_SECONDS = 3.0
GONE_SECONDS = 5.0
FLATTEN = "+flatten"
# In one step, so that nobody who reads the new revision can still read the old state.
WRITE = """
local revision = redis.call('INCR', KEYS[1])
redis.call('HSET', KEYS[2], ARGV[1], table.concat({ARGV[2], revision, ARGV[3], ARGV[4]}, '|'))
redis.call('PUBLISH', ARGV[5], revision)
return revision
"""


@dataclass(frozen=True)
class ScopeState:
    """State of one scope, who set it and why; with `flatten` its positions are closed."""

    state: TradingState
    revision: int
    actor: str
    reason: str
    flatten: bool = False


@dataclass(frozen=True)
class Flattening:
    """Whose positions are closed at one broker: everybody's, or some strategies'; `revision` of the newest wish."""

    revision: int = 0
    everything: bool = False
    strategies: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.everything or bool(self.strategies)

    def concerns(self, strategy: str) -> bool:
        """True when the strategy's positions are closed."""
        return self.everything or strategy in self.strategies


@dataclass(frozen=True)
class Left:
    """What one worker still has to close, a line each, and the revision it knew then."""

    revision: int
    lines: tuple[str, ...]


def redis_client(settings: Settings) -> Redis:
    """A client with short time-outs. Connects on first use. Raises ConfigurationError without its password."""
    return Redis(
        host=settings.redis.host,
        port=settings.redis.port,
        db=settings.redis.database,
        password=_password(settings.redis.password_file),
        socket_timeout=2,
        socket_connect_timeout=2,
        decode_responses=True,
        retry=Retry(NoBackoff(), 1),  # for a connection the server had closed; waiting is up to the caller
    )


def _password(file: Path | None) -> str | None:
    try:
        return None if file is None else file.read_text().strip()
    except OSError as error:
        raise ConfigurationError(f"redis.password_file {file}: {error.strerror}") from error


def is_cancelled() -> bool:
    """Ask after each call: on Python 3.11 `asyncio.wait_for`, which the client uses, may swallow a cancellation."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class TradingStateStore:
    """Reads and writes the states. Methods raise RedisError while Redis is away."""

    def __init__(self, settings: Settings, client: Redis) -> None:
        self._keys = RedisKeys(settings)
        self._redis = client

    async def read(self) -> dict[str, ScopeState]:
        """All scopes with a state; one that cannot be read counts as halted."""
        rows = await self._redis.hgetall(self._keys.trading_states)
        return {str(scope): _parse(str(row)) for scope, row in rows.items()}

    async def revision(self) -> int:
        """The newest revision."""
        return int(await self._redis.get(self._keys.trading_revision) or 0)

    async def write(self, scope: str, state: TradingState, actor: str, reason: str, *, flatten: bool = False) -> int:
        """Set a scope's state, and whether its positions are closed, and announce it; returns the new revision."""
        keys = [self._keys.trading_revision, self._keys.trading_states]
        values = [
            scope,
            f"{state.value}{FLATTEN if flatten else ''}",
            actor.replace("|", "/"),
            reason,
            self._keys.trading_channel,
        ]
        return int(await self._redis.eval(WRITE, len(keys), *keys, *values))

    async def acknowledge(self, worker: str, revision: int, in_flight: Sequence[str] = ()) -> None:
        """Note that a worker has applied everything up to a revision, and which of its calls had not ended then."""
        await self._redis.hset(self._keys.workers, worker, f"{revision}|{time.time():.3f}|{' '.join(in_flight)}")

    async def calls_in_flight(self, revision: int) -> dict[str, list[str]]:
        """By worker, the orders whose calls had not ended when it applied exactly this revision."""
        rows = await self._redis.hgetall(self._keys.workers)
        split = {str(worker): str(row).split("|") for worker, row in rows.items()}
        found = {worker: row[2].split() for worker, row in split.items() if row[0] == str(revision) and len(row) > 2}
        return {worker: orders for worker, orders in found.items() if orders}

    async def tell_left(self, worker: str, revision: int, lines: Sequence[str]) -> None:
        """Note what a worker still has to close."""
        await self._redis.hset(self._keys.left, worker, f"{revision}|{time.time():.3f}|{json.dumps(lines)}")

    async def left(self) -> dict[str, Left]:
        """What every worker that was alive in the last seconds still has to close."""
        rows = await self._redis.hgetall(self._keys.left)
        split = {str(worker): str(row).split("|", 2) for worker, row in rows.items()}
        alive = {worker: row for worker, row in split.items() if time.time() - float(row[1]) < GONE_SECONDS}
        return {worker: Left(int(row[0]), tuple(json.loads(row[2]))) for worker, row in alive.items()}

    async def acknowledged(self) -> dict[str, int]:
        """Applied revision of every worker that was alive in the last seconds."""
        rows = await self._redis.hgetall(self._keys.workers)
        split = {str(worker): str(row).split("|") for worker, row in rows.items()}
        return {worker: int(row[0]) for worker, row in split.items() if time.time() - float(row[1]) < GONE_SECONDS}

    async def wait_applied(self, revision: int, timeout_seconds: float) -> tuple[list[str], list[str]]:
        """Workers that have applied a revision, and those that have not in time."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            applied = await self.acknowledged()
            late = sorted(worker for worker, done in applied.items() if done < revision)
            if not late or time.monotonic() > deadline:
                return sorted(set(applied) - set(late)), late
            await asyncio.sleep(0.02)


def _parse(row: str) -> ScopeState:
    try:
        state, revision, actor, reason = row.split("|", 3)
        plain = TradingState(state.removesuffix(FLATTEN))
        return ScopeState(plain, int(revision), actor, reason, state.endswith(FLATTEN))
    except ValueError:
        return ScopeState(TradingState.HALTED, 0, "nobody", f"The stored state cannot be read: {row[:100]!r}")


def _strategy(scope: str) -> str:
    """The strategy a scope names; empty for none."""
    kind, _, name = scope.partition(":")
    return name if kind == "strategy" else ""


async def _nothing() -> None:
    pass


class TradingStateView:
    """A worker's current copy of the states."""

    def __init__(self, settings: Settings, worker: str) -> None:
        self._settings = settings
        self._worker = worker
        self._redis = redis_client(settings)
        self._store = TradingStateStore(settings, self._redis)
        self._channel = RedisKeys(settings).trading_channel
        self._states: dict[str, ScopeState] = {}
        self._read_at: float | None = None
        self._changed: Callable[[], None] = lambda: None
        self._drained: Callable[[], Awaitable[None]] = _nothing
        self._in_flight: Callable[[], Sequence[str]] = tuple
        self._left: Callable[[], Sequence[str] | None] = lambda: None
        self._applied = -1
        self._calls: Sequence[str] = ()

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` after every read."""
        self._changed = callback

    def on_halt(self, drained: Callable[[], Awaitable[None]], in_flight: Callable[[], Sequence[str]] = tuple) -> None:
        """Await `drained` before a revision is acknowledged: what was on its way when it came has ended by then.

        `in_flight` names the orders whose calls have not.
        """
        self._drained, self._in_flight = drained, in_flight

    def on_flatten(self, left: Callable[[], Sequence[str] | None]) -> None:
        """While positions are closed anywhere, ask `left` with every read what is left, and note it.

        None is not noted: before its tables are recovered a worker does not know.
        """
        self._left = left

    def state_for(self, broker: str, strategy: str | None) -> TradingState:
        """The strictest state that concerns a broker's strategy."""
        broker_scope = f"broker:{broker}"
        is_allowed = self.is_current and (ALL in self._states or broker_scope in self._states)
        if self._settings.brokers[broker].execution.is_at_the_broker and not is_allowed:
            return TradingState.HALTED
        scopes = [ALL, broker_scope] + ([f"strategy:{strategy}"] if strategy else [])
        known = [self._states[scope].state for scope in scopes if scope in self._states]
        return max(known, key=lambda state: state.severity, default=TradingState.ACTIVE)

    def flattening(self, broker: str) -> Flattening:
        """Whose positions are to be closed at a broker, as far as is known."""
        wanted = {scope: found for scope, found in self._states.items() if found.flatten}
        mine = {ALL, f"broker:{broker}"}
        strategies = {name: found for scope, found in wanted.items() if (name := _strategy(scope))}
        known = [found.revision for scope, found in wanted.items() if scope in mine or _strategy(scope)]
        return Flattening(max(known, default=0), bool(mine & wanted.keys()), tuple(sorted(strategies)))

    @property
    def is_current(self) -> bool:
        """True while Redis was read within the last seconds."""
        return self._read_at is not None and time.monotonic() - self._read_at < STALE_SECONDS

    async def run(self) -> None:
        """Follow until cancelled; tries again while Redis is away."""
        try:
            while not is_cancelled():
                try:
                    await self._follow()
                except (RedisError, OSError, TimeoutError) as error:
                    log.warning("trading_state_unreadable", error=str(error))
                    await asyncio.sleep(POLL_SECONDS)
        finally:
            await self._redis.aclose()

    async def _follow(self) -> None:
        async with self._redis.pubsub() as channel:
            await channel.subscribe(self._channel)
            while not is_cancelled():
                await self._read()
                await channel.get_message(ignore_subscribe_messages=True, timeout=POLL_SECONDS)

    async def _read(self) -> None:
        revision = await self._store.revision()
        self._states = await self._store.read()
        self._read_at = time.monotonic()
        self._changed()
        await self._drained()
        if revision != self._applied:
            self._applied, self._calls = revision, self._in_flight()
        await self._store.acknowledge(self._worker, revision, self._calls)
        if any(found.flatten for found in self._states.values()):
            lines = self._left()
            if lines is not None:
                await self._store.tell_left(self._worker, revision, lines)
