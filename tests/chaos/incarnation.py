"""One life of a live engine in `LiveWorld`, and where it may be killed. A kill stops everything of it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import StrEnum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from agents import trading_engine
from agents.live.broker import LiveBroker
from faust_app.runtime.consume import Record
from faust_app.runtime.lifecycle import WorkerState
from faust_app.runtime.topics import Topic
from tables.journal import Output
from trading.market.instruments import InstrumentRegistry

if TYPE_CHECKING:
    from tests.chaos.live_world import LiveWorld

BROKER = "zerodha"
CONSUMED = (Topic.SIGNALS_VALIDATED, Topic.ORDERS_SUBMITTED, Topic.ORDERS_UPDATES)
LEFT_OUT = ("conditions", "preflight", "account", "last prices", "reconciliation")  # need a stack


class Effect(StrEnum):
    """Where a worker may be killed."""

    BEFORE_DECIDING = "before deciding"
    AFTER_THE_TABLE_WRITE = "after the table write"
    BEFORE_SENDING = "before sending"
    AFTER_SENDING = "after sending"
    BEFORE_THE_COMMIT = "before the commit"
    BEFORE_THE_CALL = "before the call"
    AFTER_THE_CALL = "after the call"
    BEFORE_THE_CANCEL = "before the cancel"
    AFTER_THE_CANCEL = "after the cancel"
    BEFORE_THE_TRIGGER = "before the trigger"
    AFTER_THE_TRIGGER = "after the trigger"
    BEFORE_ITS_CHANGE = "before the trigger's change"
    AFTER_ITS_CHANGE = "after the trigger's change"
    BEFORE_ITS_REMOVAL = "before the trigger's removal"
    AFTER_ITS_REMOVAL = "after the trigger's removal"


OF_TRIGGERS = frozenset(one for one in Effect if "trigger" in one.value)
OF_ORDERS = [one for one in Effect if one not in OF_TRIGGERS]


class Killed(BaseException):
    """Raised to whatever an incarnation does next once it has been killed."""


class Incarnation:
    """One life of the worker. Each effect is counted by `step`; the one named by the world kills it."""

    def __init__(self, world: LiveWorld) -> None:
        self._world = world
        self.is_dead = False
        self._background: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._stopping: list[Callable[[], Awaitable[None]]] = []
        worker: Any = SimpleNamespace(
            broker=BROKER,
            stage="trading_engine",
            settings=world.settings,
            topics=SimpleNamespace(name=world.topics.name, partition=lambda group: 0),
            table=lambda name, help_text: world.tables.setdefault(name, {}),
            publisher=SimpleNamespace(send_all=self._send_all),
            background=lambda name, work: self._background.append((name, work)),
            follow_control=lambda on_event: None,
            on_stopping=self._stopping.append,
            state=WorkerState(),
        )
        self.engine: Any = trading_engine.TradingEngine(worker)
        self.engine._clock.now = world.now
        self.engine._clock.hear(int(world.exchange.sandbox.broker.clock.now))
        self.engine._registry = InstrumentRegistry(world.instruments)
        if world.trading_state is not None:
            self.engine._trading_state.state_for = lambda broker, strategy: world.trading_state
        self.live: LiveBroker = self.engine._exchange
        self.live._conditions._stored_at = self.live._reconciliation._complete_at = float("inf")
        self.live._preflight.refusal = lambda: ""  # type: ignore[method-assign]
        protector = self.live._protector
        protector._sight = replace(protector._sight, account=world.books, options=world.options)
        self._spy(self.live._dispatcher._writes)
        self._tasks: list[asyncio.Task[None]] = []

    def _spy(self, writes: Any) -> None:
        names = {
            "place": "call",
            "cancel": "cancel",
            "place_trigger": "trigger",
            "modify_trigger": "trigger's change",
            "delete_trigger": "trigger's removal",
        }
        for name, what in names.items():
            setattr(writes, name, self._spied(getattr(writes, name), what))

    def _spied(self, call: Callable[..., Awaitable[Any]], what: str) -> Callable[..., Awaitable[Any]]:
        async def spied(*arguments: Any) -> Any:
            self.step(Effect(f"before the {what}"))
            answer = await call(*arguments)
            self.step(Effect(f"after the {what}"))
            return answer

        return spied

    def step(self, what: Effect) -> None:
        """An effect is about to happen, or has just happened. Raises Killed."""
        if not self.is_dead and self._world.is_fatal(what):
            self.is_dead = True
            self._world.died.set()
        if self.is_dead:
            raise Killed(what)

    async def _send_all(self, outputs: list[Output]) -> None:
        self.step(Effect.BEFORE_SENDING)
        self._world.append(outputs)
        self.step(Effect.AFTER_SENDING)

    async def start(self) -> None:
        """Recover from the tables, then run."""
        await self.live._lease.step()
        self.engine._orders.forget()
        self.live.forget()
        self.engine._desks.rebuild(self.engine._partition)
        works = [work for name, work in self._background if name not in LEFT_OUT]
        if self._world.trading_state is None:
            works.append(self.engine.follow_trading_state)
        self._tasks = [asyncio.create_task(self._guarded(work)) for work in (*works, self._consume)]

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Killed:
            self._world.died.set()

    async def _consume(self) -> None:
        handlers = {
            Topic.SIGNALS_VALIDATED: self.engine.on_accepted,
            Topic.ORDERS_SUBMITTED: self.engine.on_submitted,
            Topic.ORDERS_UPDATES: self.engine.on_update,
        }
        while True:
            for topic in CONSUMED:
                while (record := self._world.next_record(topic)) is not None:
                    await self._handle(handlers[topic], topic, record)
            await self._world.wait_for_messages()

    async def _handle(self, handler: Callable[[Record], Awaitable[Any]], topic: Topic, record: Record) -> None:
        self.step(Effect.BEFORE_DECIDING)
        decision = await handler(record)
        self.step(Effect.AFTER_THE_TABLE_WRITE)
        await self._send_all(decision.outputs)
        if decision.delivered is not None:
            decision.delivered()
        self.step(Effect.BEFORE_THE_COMMIT)
        self._world.commit(topic)

    async def end(self) -> None:
        """Nothing of it goes on; threads with requests under way end by themselves."""
        self.is_dead = True
        self.live._lease._held = ""  # a killed worker gives nothing back
        running = {*self._tasks, *self.live._dispatcher._running}
        while running:  # the Redis client may swallow a cancellation
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=0.5)
        self.live._client.close()
        await self.live._redis.aclose()
