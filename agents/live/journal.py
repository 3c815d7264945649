"""The durable side of a live call: marks and reports as messages to the engine's own agent, which owns the table."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import structlog

from agents.events import Events
from faust_app.runtime.codec import chained, new_id
from faust_app.runtime.publisher import SEND_FAILURES, Publisher
from faust_app.runtime.topics import Topic
from models.messages import ids
from models.messages.orders import CallAttempted, OrderSubmitted, OrderUpdate, PlannedOrder
from models.messages.protection import TriggerMessage
from tables.journal import Output

log = structlog.get_logger(__name__)
AGAIN_SECONDS = 0.5


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

    async def attempted(self, order: PlannedOrder) -> None:
        """Mark an order's call; returns when the mark is in the table. Raises PartitionsMoved."""
        body = CallAttempted(order_id=order.order_id, at=int(self._now()))
        message_id = ids.order_event_id("attempted", order.order_id)
        await self._stored(order.order_id, self._output(body, message_id, order, body.at))

    async def adopted(self, order: PlannedOrder, broker_order_id: str, at: int) -> None:
        """The intent of an order that is at the broker; returns when it is in the table. Raises PartitionsMoved."""
        body = OrderSubmitted(order=order, broker_order_id=broker_order_id, attempted_at=at)
        message_id = ids.order_event_id("submitted", order.order_id)
        chain = order.frame_id, None
        output = self._message(Topic.ORDERS_SUBMITTED, body, message_id, order.instrument_token, at, chain)
        await self._stored(order.order_id, output)

    async def told(self, body: TriggerMessage) -> None:
        """Tell of a trigger; returns when it is in the table. Raises PartitionsMoved."""
        message_id, token = new_id(), body.position.instrument_token
        output = self._message(Topic.ORDERS_UPDATES, body, message_id, token, body.at, (message_id, None))
        await self._stored(message_id, output)

    async def _stored(self, name: str, output: Output) -> None:
        marked = self._marks[name] = asyncio.get_running_loop().create_future()
        try:
            await self._send(output)
            await marked
        finally:
            self._marks.pop(name, None)

    def marked(self, name: str) -> None:
        """The engine's agent has stored the mark of an order, or a message about a trigger."""
        found = self._marks.get(name)
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
        chain = order.frame_id, ids.order_event_id("submitted", order.order_id)
        return self._message(Topic.ORDERS_UPDATES, body, message_id, order.instrument_token, at, chain)

    def _message(
        self, topic: Topic, body: msgspec.Struct, message_id: str, token: int, at: int, chain: tuple[str, str | None]
    ) -> Output:
        """`chain` is where it all began, and what this follows from."""
        group = self._group(token)
        envelope = chained(
            body,
            message_id=message_id,
            broker=self._broker,
            key=group,
            source=self._stage,
            at=at,
            first=chain[0],
            cause=chain[1],
        )
        return self._events.in_group(topic, envelope, group)
