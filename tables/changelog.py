"""Sends table writes to their changelog in the order they were made, those of one decision in one request."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import msgspec
from aiokafka.errors import KafkaTimeoutError
from faust.exceptions import ProducerSendError

AGAIN_SECONDS = 0.5


class Write(msgspec.Struct):
    """One write on its way; `sent` ends with Kafka's answer, whose `offset` is that of the write."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None
    sent: asyncio.Future[Any]


class ChangelogWriter:
    """Bound to a Faust app, whose producer has to run.

    Faust hands writes over one by one, and the first of a decision leaves alone while the others wait for Kafka's
    answer. Here all that are made before the event loop turns leave together.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._waiting: list[Write] = []
        self._sending: asyncio.Task[None] | None = None

    def write(self, topic: str, partition: int, key: bytes, value: bytes | None) -> asyncio.Future[Any]:
        """Send one write (None removes the key); the future ends when Kafka has it."""
        sent = asyncio.get_running_loop().create_future()
        self._waiting.append(Write(topic, partition, key, value, sent))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())
        return sent

    async def _send(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            for write in batch:
                await self._hand_over(write)

    async def _hand_over(self, write: Write) -> None:
        """Give one write to the producer; while that takes none, Kafka being away, wait with all that come after."""
        while True:
            try:
                answer = await self._app.producer.send(write.topic, write.key, write.value, write.partition, None, None)
            except ProducerSendError as error:
                if isinstance(error.__cause__, KafkaTimeoutError):
                    await asyncio.sleep(AGAIN_SECONDS)
                    continue
                _fail(write.sent, error)
            except Exception as error:
                _fail(write.sent, error)
            else:
                answer.add_done_callback(partial(_pass_on, write.sent))
            return


def _fail(sent: asyncio.Future[Any], error: Exception) -> None:
    if not sent.done():
        sent.set_exception(error)


def _pass_on(sent: asyncio.Future[Any], answer: asyncio.Future[Any]) -> None:
    if sent.done():
        return
    if answer.cancelled():
        sent.cancel()
    elif (error := answer.exception()) is not None:
        sent.set_exception(error)
    else:
        sent.set_result(answer.result())
