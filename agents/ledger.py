"""Ledger: every event but ticks and marks is written to PostgreSQL, once, whatever is delivered again."""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from faust_app.runtime import metrics
from faust_app.runtime.app import Worker
from faust_app.runtime.audit import record as write_event
from faust_app.runtime.codec import decode_any
from faust_app.runtime.consume import Decision, Record
from faust_app.runtime.database import create_engine, transient
from faust_app.runtime.errors import TransientError
from faust_app.runtime.topology import consumed_topics, workers


class Ledger:
    """Writes one event a transaction; topics are written side by side."""

    def __init__(self, worker: Worker) -> None:
        self._topics = worker.topics
        self._engine = create_engine(worker.settings)

    async def on_event(self, record: Record) -> Decision:
        """Store one event and what it changes. Waits while PostgreSQL is away."""
        envelope = decode_any(record.value)
        name = self._topics.parse(record.topic)
        origin = (record.topic, record.partition, record.offset)
        try:
            async with self._engine.begin() as connection:
                await write_event(connection, name, record.value or b"", origin)
        except (SQLAlchemyError, OSError) as error:
            self._raise_transient(error)
            raise
        return Decision(delivered=lambda: self._count(envelope))

    def _raise_transient(self, error: Exception) -> None:
        if transient(error):
            raise TransientError("PostgreSQL does not answer") from error

    def _count(self, envelope: Any) -> None:
        metrics.LEDGER_EVENTS.labels(envelope.type).inc()


def attach(worker: Worker) -> None:
    """Declare the stage on `worker`."""
    stage = Ledger(worker)
    ledger = next(one for one, _ in workers(worker.settings) if one.name == worker.stage)
    for topic in consumed_topics(worker.settings, ledger, None):
        worker.consume(topic, stage.on_event)
