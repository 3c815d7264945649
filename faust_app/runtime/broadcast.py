"""Reads a broadcast topic: every worker sees every message, no group, nothing committed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from faust_app.runtime.codec import decode_any
from faust_app.runtime.errors import DecodeError
from faust_app.runtime.settings import KafkaSettings
from models.messages.envelope import Envelope

log = structlog.get_logger(__name__)
AGAIN_SECONDS = 2.0


class BroadcastReader:
    """Follows one single-partition topic from `tail` messages before its end."""

    def __init__(
        self, kafka: KafkaSettings, topic: str, on_event: Callable[[Envelope[Any]], None], *, tail: int = 0
    ) -> None:
        self._bootstrap = kafka.bootstrap
        self._partition = TopicPartition(topic, 0)
        self._on_event = on_event
        self._tail = tail
        self._next: int | None = None
        self.caught_up = asyncio.Event()

    async def run(self) -> None:
        """Read until cancelled; while Kafka is away, try again."""
        while True:
            try:
                await self._follow()
            except (KafkaError, OSError) as error:
                log.warning("broadcast_interrupted", topic=self._partition.topic, error=str(error))
                await asyncio.sleep(AGAIN_SECONDS)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await consumer.start()
            await self._position(consumer)
            async for message in consumer:
                self._next = message.offset + 1
                self._handle(message)
                if self._next >= consumer.highwater(self._partition):
                    self.caught_up.set()
        finally:
            await consumer.stop()

    async def _position(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign([self._partition])
        end = (await consumer.end_offsets([self._partition]))[self._partition]
        begin = (await consumer.beginning_offsets([self._partition]))[self._partition]
        start = max(begin, end - self._tail) if self._next is None else self._next
        consumer.seek(self._partition, start)
        if start >= end:
            self.caught_up.set()

    def _handle(self, message: Any) -> None:
        try:
            self._on_event(decode_any(message.value))
        except DecodeError as error:
            log.warning("broadcast_refused", topic=message.topic, offset=message.offset, error=str(error)[:300])
