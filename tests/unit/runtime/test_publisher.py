"""The publisher sends in order and reports success only when Kafka has everything."""

from __future__ import annotations

import asyncio
import gc
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError

from faust_app.runtime.publisher import Publisher
from tables.journal import Output
from tests.unit.runtime.loop_fakes import until


class Producer:
    """Keeps what it is given; the test ends the futures."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.futures: list[asyncio.Future[Any]] = []
        self.refuse_from: int | None = None

    async def send(self, *arguments: Any) -> asyncio.Future[Any]:
        if self.refuse_from is not None and len(self.sent) >= self.refuse_from:
            raise KafkaTimeoutError
        self.sent.append(arguments)
        future = asyncio.get_running_loop().create_future()
        self.futures.append(future)
        return future


@pytest.fixture
async def producer() -> Producer:
    return Producer()


def publisher(producer: Producer) -> Publisher:
    return Publisher(SimpleNamespace(producer=producer))


def outputs(count: int) -> list[Output]:
    return [Output("topic", b"key", str(number).encode()) for number in range(count)]


async def test_every_part_of_an_output_reaches_kafka(producer: Producer) -> None:
    await publisher(producer).send(Output("topic", None, b"value", 3, (("reason", b"decode"),)))
    await publisher(producer).send(Output("topic", b"key", None))
    assert producer.sent == [
        ("topic", None, b"value", 3, None, [("reason", b"decode")]),
        ("topic", b"key", None, None, None, None),
    ]


async def test_sending_ends_when_kafka_has_everything(producer: Producer) -> None:
    sending = asyncio.create_task(publisher(producer).send_all(outputs(3)))
    await until(lambda: len(producer.futures) == 3)
    assert [arguments[2] for arguments in producer.sent] == [b"0", b"1", b"2"]
    for future in producer.futures[:2]:
        future.set_result(None)
    await asyncio.sleep(0.01)
    assert not sending.done()
    producer.futures[2].set_result(None)
    await sending


async def test_first_failure_is_raised_once_all_have_ended(producer: Producer) -> None:
    sending = asyncio.create_task(publisher(producer).send_all(outputs(3)))
    await until(lambda: len(producer.futures) == 3)
    producer.futures[1].set_exception(KafkaConnectionError("second"))
    await asyncio.sleep(0.01)
    assert not sending.done()
    producer.futures[2].set_exception(KafkaTimeoutError())
    producer.futures[0].set_result(None)
    with pytest.raises(KafkaConnectionError, match="second"):
        await sending


async def test_failure_of_a_message_before_a_refused_one_is_not_left_unseen(producer: Producer) -> None:
    producer.refuse_from = 2
    unseen: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unseen.append(context))
    sending = asyncio.create_task(publisher(producer).send_all(outputs(3)))
    await until(lambda: len(producer.futures) == 2)
    for future in producer.futures:
        future.set_exception(KafkaConnectionError("gone"))
    with pytest.raises(KafkaTimeoutError):
        await sending
    producer.futures.clear()
    del sending
    gc.collect()
    await asyncio.sleep(0)
    assert unseen == []


async def test_nothing_to_send_is_done_at_once(producer: Producer) -> None:
    await publisher(producer).send_all([])
    assert producer.sent == []
