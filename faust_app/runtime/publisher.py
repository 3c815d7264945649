"""Sends outputs through the app's producer and waits until Kafka has them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka.errors import KafkaError
from faust.exceptions import NotReady, ProducerSendError

from tables.journal import Output

SEND_FAILURES = (KafkaError, ProducerSendError, NotReady)  # of a producer whose Kafka is away


class Publisher:
    """Bound to a Faust app; usable once its producer has started."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def send(self, output: Output) -> asyncio.Future[Any]:
        """Hand one message to the producer, in order; the future ends when Kafka has it. Raises KafkaError."""
        partition = None if output.partition < 0 else output.partition
        future: asyncio.Future[Any] = await self._app.producer.send(
            output.topic, output.key, output.value, partition, None, list(output.headers) or None
        )
        return future

    async def send_all(self, outputs: Sequence[Output]) -> None:
        """Send in order and wait for all. Raises the first KafkaError; then any of them may be missing."""
        futures: list[asyncio.Future[Any]] = []
        try:
            for output in outputs:
                futures.append(await self.send(output))  # noqa: PERF401 - those before a refused one are awaited
        except Exception:
            await asyncio.gather(*futures, return_exceptions=True)
            raise
        results = await asyncio.gather(*futures, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
