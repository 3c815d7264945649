"""Reads a topic without a group: every reader sees every message, nothing is committed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from faust_app.runtime import metrics
from faust_app.runtime.codec import decode_any
from faust_app.runtime.errors import DecodeError
from faust_app.runtime.sections import KafkaSettings
from models.messages.envelope import Envelope

log = structlog.get_logger(__name__)
AGAIN_SECONDS = 2.0


class TopicReader:
    """Follows a topic's partitions from `tail` messages before their ends, or with None from their beginnings."""

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        on_message: Callable[[Any], None],
        *,
        partitions: int = 1,
        tail: int | None = 0,
    ) -> None:
        self._bootstrap = kafka.bootstrap
        self._topic = topic
        self._partitions = [TopicPartition(topic, number) for number in range(partitions)]
        self._on_message = on_message
        self._tail = tail
        self._next: dict[TopicPartition, int] = {}
        self._behind = set(self._partitions)
        self.caught_up = asyncio.Event()

    async def run(self) -> None:
        """Read until cancelled; while Kafka is away, try again."""
        while True:
            try:
                await self._follow()
            except (KafkaError, OSError) as error:
                log.warning("reader_interrupted", topic=self._topic, error=str(error))
                await asyncio.sleep(AGAIN_SECONDS)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        metrics.CLIENT_STARTS.labels("kafka reader").inc()
        try:
            await consumer.start()
            await self._position(consumer)
            async for message in consumer:
                partition = TopicPartition(self._topic, message.partition)
                self._next[partition] = message.offset + 1
                self._on_message(message)
                if message.offset + 1 >= consumer.highwater(partition):
                    self._has_read(partition)
        finally:
            await consumer.stop()

    async def _position(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign(self._partitions)
        ends = await consumer.end_offsets(self._partitions)
        begins = await consumer.beginning_offsets(self._partitions)
        for one in self._partitions:
            first = begins[one] if self._tail is None else max(begins[one], ends[one] - self._tail)
            start = self._next.get(one, first)
            consumer.seek(one, start)
            if start >= ends[one]:
                self._has_read(one)

    def _has_read(self, partition: TopicPartition) -> None:
        self._behind.discard(partition)
        if not self._behind:
            self.caught_up.set()


class BroadcastReader(TopicReader):
    """Follows a broadcast topic, which has one partition, by its events."""

    def __init__(
        self, kafka: KafkaSettings, topic: str, on_event: Callable[[Envelope[Any]], None], *, tail: int = 0
    ) -> None:
        super().__init__(kafka, topic, self._handle, tail=tail)
        self._on_event = on_event

    def _handle(self, message: Any) -> None:
        try:
            self._on_event(decode_any(message.value))
        except DecodeError as error:
            log.warning("broadcast_refused", topic=message.topic, offset=message.offset, error=str(error)[:300])
