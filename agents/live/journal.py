"""The durable side of a live call: marks and reports as messages to the engine's own agent, which owns the table."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from faust.exceptions import NotReady, ProducerSendError

from agents.events import Events
from faust_app.runtime.codec import event_time
from faust_app.runtime.publisher import Publisher
from faust_app.runtime.topics import Topic
from models.messages import CATALOGUE, ids
from models.messages.envelope import Envelope
from models.messages.orders import CallAttempted, OrderUpdate, PlannedOrder
from tables.journal import Output

log = structlog.get_logger(__name__)
AGAIN_SECONDS = 0.5
SEND_FAILURES = (KafkaError, ProducerSendError, NotReady)


async def send_until_taken(publisher: Publisher, outputs: list[Output]) -> None:
    """Send, for as long as Kafka takes."""
    while True:
        try:
            await publisher.send_all(outputs)
        except SEND_FAILURES as error:
            log.warning("report_waits_for_kafka", error=type(error).__name__)
            await asyncio.sleep(AGAIN_SECONDS)
        else:
            return


class PartitionsMoved(Exception):
    """Raised to a call whose mark will not be seen any more: partitions moved."""


class CallJournal:
    """Sends to `{b}.orders.updates`, for as long as Kafka takes. `now` is the broker's time in seconds."""

    def __init__(self, publisher: Publisher, events: Events, *, broker: str, stage: str, group: Any, now: Any) -> None:
        self._publisher = publisher
        self._events = events
        self._broker = broker
        self._stage = stage
        self._group = group
        self._now = now
        self._marks: dict[str, asyncio.Future[None]] = {}
        self._orders: dict[str, PlannedOrder] = {}

    async def attempted(self, order: PlannedOrder) -> None:
        """Mark an order's call; returns when the mark is in the table. Raises PartitionsMoved."""
        marked = self._marks[order.order_id] = asyncio.get_running_loop().create_future()
        body = CallAttempted(order_id=order.order_id, at=int(self._now()))
        message_id = ids.order_event_id("attempted", order.order_id)
        try:
            await self._send(self._output(body, message_id, order, body.at))
            await marked
        finally:
            self._marks.pop(order.order_id, None)

    def marked(self, order_id: str) -> None:
        """The engine's agent has stored the mark."""
        found = self._marks.get(order_id)
        if found is not None and not found.done():
            found.set_result(None)

    def forget(self) -> None:
        """Partitions moved: marks on their way belong to whoever has the partition now."""
        for found in self._marks.values():
            if not found.done():
                found.set_exception(PartitionsMoved())

    async def report(self, order: PlannedOrder, update: OrderUpdate) -> None:
        """Report what became of an order's call, or what the book says of it."""
        message_id = ids.update_id(update.order_id, update.status.value, update.cumulative_quantity)
        await self._send(self._output(update, message_id, order, update.event_time))

    async def _send(self, output: Output) -> None:
        await send_until_taken(self._publisher, [output])

    def _output(self, body: CallAttempted | OrderUpdate, message_id: str, order: PlannedOrder, at: int) -> Output:
        name, version = CATALOGUE[type(body)]
        group = self._group(order.instrument_token)
        envelope = Envelope(
            id=message_id,
            type=name,
            version=version,
            broker=self._broker,
            key=group,
            source=self._stage,
            occurred_at=event_time(at),
            correlation_id=order.frame_id,
            causation_id=ids.order_event_id("submitted", order.order_id),
            trace_id=order.frame_id,
            data=body,
        )
        return self._events.in_group(Topic.ORDERS_UPDATES, envelope, group)
