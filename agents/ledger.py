"""Ledger: every event but ticks and marks is written to PostgreSQL, once, whatever is delivered again.

Topics are read side by side, and what has arrived meanwhile is written in one transaction: a commit waits for the
disk, and a burst should wait for it once.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from faust_app.runtime import metrics
from faust_app.runtime.app import Worker
from faust_app.runtime.audit import Origin
from faust_app.runtime.audit import record as write_event
from faust_app.runtime.codec import decode_any
from faust_app.runtime.consume import Decision, Record
from faust_app.runtime.database import create_engine, transaction
from faust_app.runtime.topics import TopicName
from faust_app.runtime.topology import consumed_topics, workers

MOST_AT_ONCE = 100


@dataclass(frozen=True)
class _Waiting:
    name: TopicName
    raw: bytes
    origin: Origin
    sent_at: float
    written: asyncio.Future[None]


class EventWriter:
    """Writes events in the order they come, several in a transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()

    async def write(self, name: TopicName, record: Record) -> None:
        """Return when the event is committed. Raises TransientError while PostgreSQL is away."""
        origin = (record.topic, record.partition, record.offset)
        done = asyncio.get_running_loop().create_future()
        waiting = _Waiting(name, record.value or b"", origin, record.sent_at, done)
        self._queue.put_nowait(waiting)
        await waiting.written

    async def run(self) -> None:
        """Write what comes, until cancelled."""
        while True:
            batch = [await self._queue.get()]
            while not self._queue.empty() and len(batch) < MOST_AT_ONCE:
                batch.append(self._queue.get_nowait())
            await self._write(batch)

    async def _write(self, batch: list[_Waiting]) -> None:
        """When a transaction fails, its events are written one by one: only the one at fault fails."""
        try:
            async with transaction(self._engine) as connection:
                for one in batch:
                    await write_event(connection, one.name, one.raw, one.origin, one.sent_at)
        except Exception as error:
            if len(batch) == 1:
                _finish(batch[0].written, error)
                return
            for one in batch:
                await self._write([one])
        else:
            for one in batch:
                _finish(one.written, None)


def _finish(future: asyncio.Future[None], error: Exception | None) -> None:
    if future.done():  # its consumer has gone
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


class Ledger:
    """The stage: one handler for every topic."""

    def __init__(self, worker: Worker) -> None:
        self._topics = worker.topics
        self.writer = EventWriter(create_engine(worker.settings, pool_size=1))

    async def on_event(self, record: Record) -> Decision:
        """Store one event and what it changes. Waits while PostgreSQL is away."""
        envelope = decode_any(record.value)
        await self.writer.write(self._topics.parse(record.topic), record)
        return Decision(delivered=lambda: self._count(envelope))

    def _count(self, envelope: Any) -> None:
        metrics.LEDGER_EVENTS.labels(envelope.type).inc()


def attach(worker: Worker) -> None:
    """Declare the stage on `worker`."""
    stage = Ledger(worker)
    ledger = next(one for one, _ in workers(worker.settings) if one.name == worker.stage)
    for topic in consumed_topics(worker.settings, ledger, None):
        worker.consume(topic, stage.on_event)
    worker.background("writer", stage.writer.run)
