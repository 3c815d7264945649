"""A broadcast reader starts at the right place, misses nothing after an interruption, and survives garbage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from faust_app.runtime import broadcast
from faust_app.runtime.broadcast import BroadcastReader
from faust_app.runtime.codec import encode, root
from models.messages.envelope import Envelope
from models.messages.market import Marks
from tests.unit.runtime.configurations import configured
from tests.unit.runtime.loop_fakes import until

TOPIC = "market.marks"
PARTITION = TopicPartition(TOPIC, 0)


def marks(clock: int) -> bytes:
    body = Marks(run_id="run", clock=clock)
    return encode(
        root(body, message_id="id", broker="shared", key="-", source="feed", at=datetime(2026, 1, 1, tzinfo=UTC))
    )


@dataclass
class Message:
    topic: str
    offset: int
    value: bytes | None
    partition: int = 0


class Log:
    """One partition in Kafka: values by offset, `begin` the first one kept."""

    def __init__(self, *values: bytes | None, begin: int = 0) -> None:
        self.begin = begin
        self.values = dict(enumerate(values, begin))
        self.interruptions: list[Exception] = []  # raised by readers, one each
        self.interrupt_at: int | None = None
        self.consumers: list[Consumer] = []

    @property
    def end(self) -> int:
        return max(self.values, default=self.begin - 1) + 1

    def append(self, value: bytes | None) -> None:
        self.values[self.end] = value


class Consumer:
    """The part of AIOKafkaConsumer the reader uses."""

    def __init__(self, log: Log, **options: Any) -> None:
        self._log, self.options = log, options
        self.position = -1
        self.started = self.stopped = False
        log.consumers.append(self)

    async def start(self) -> None:
        self.started = True
        if self._log.interrupt_at is None and self._log.interruptions:
            raise self._log.interruptions.pop(0)

    async def stop(self) -> None:
        self.stopped = True

    def assign(self, partitions: list[TopicPartition]) -> None:
        assert partitions == [PARTITION]

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self._log.end)

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self._log.begin)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.position = offset

    def highwater(self, partition: TopicPartition) -> int:
        return self._log.end

    async def __aiter__(self) -> AsyncIterator[Message]:
        while True:
            if self.position == self._log.interrupt_at and self._log.interruptions:
                raise self._log.interruptions.pop(0)
            if self.position in self._log.values:
                offset, self.position = self.position, self.position + 1
                yield Message(TOPIC, offset, self._log.values[offset])
            else:
                await asyncio.sleep(0.001)


Follow = Callable[..., BroadcastReader]


@pytest.fixture
async def follow(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Follow]:
    """Starts a reader on a log; `seen` gets the clocks of what it reads."""
    running: list[asyncio.Task[None]] = []
    monkeypatch.setattr(broadcast, "AGAIN_SECONDS", 0.001)

    def start(log: Log, seen: list[int], *, tail: int = 0) -> BroadcastReader:
        monkeypatch.setattr(broadcast, "AIOKafkaConsumer", lambda **options: Consumer(log, **options))

        def on_event(envelope: Envelope[Any]) -> None:
            seen.append(envelope.data.clock)

        reader = BroadcastReader(configured().kafka, TOPIC, on_event, tail=tail)
        running.append(asyncio.create_task(reader.run()))
        return reader

    yield start
    for task in running:
        assert not task.done()
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


@pytest.mark.parametrize(
    ("tail", "expected"), [(0, []), (1, [4]), (3, [2, 3, 4]), (5, [0, 1, 2, 3, 4]), (99, [0, 1, 2, 3, 4])]
)
async def test_reading_begins_the_tail_before_the_end(follow: Follow, tail: int, expected: list[int]) -> None:
    seen: list[int] = []
    log = Log(*(marks(clock) for clock in range(5)))
    reader = follow(log, seen, tail=tail)
    await asyncio.wait_for(reader.caught_up.wait(), 5)
    await until(lambda: len(seen) >= len(expected))
    assert seen == expected
    log.append(marks(5))
    await until(lambda: seen == [*expected, 5])


async def test_tail_does_not_reach_before_what_kafka_kept(follow: Follow) -> None:
    seen: list[int] = []
    follow(Log(marks(7), marks(8), begin=100), seen, tail=50)
    await until(lambda: seen == [7, 8])


async def test_empty_topic_is_caught_up_at_once(follow: Follow) -> None:
    reader = follow(Log(), [], tail=10)
    await asyncio.wait_for(reader.caught_up.wait(), 5)


async def test_reader_is_not_caught_up_before_the_last_message(follow: Follow) -> None:
    seen: list[int] = []
    log = Log(*(marks(clock) for clock in range(4)))
    log.interrupt_at, log.interruptions = 2, [KafkaConnectionError()] * 50
    reader = follow(log, seen, tail=4)
    await until(lambda: len(seen) == 2)
    assert not reader.caught_up.is_set()
    log.interruptions.clear()
    await asyncio.wait_for(reader.caught_up.wait(), 5)
    assert seen == [0, 1, 2, 3]


@pytest.mark.parametrize("error", [KafkaConnectionError(), ConnectionResetError(), TimeoutError()], ids=repr)
async def test_interruption_neither_loses_nor_repeats(follow: Follow, error: Exception) -> None:
    seen: list[int] = []
    log = Log(*(marks(clock) for clock in range(3)))
    log.interrupt_at, log.interruptions = 2, [error, error]
    follow(log, seen, tail=3)
    await until(lambda: len(seen) == 3)
    log.append(marks(3))
    await until(lambda: len(seen) == 4)
    assert seen == [0, 1, 2, 3]
    assert [consumer.stopped for consumer in log.consumers] == [True, True, False]


async def test_messages_sent_while_kafka_was_away_are_read(follow: Follow) -> None:
    seen: list[int] = []
    log = Log(marks(0))
    follow(log, seen)
    await until(lambda: log.consumers and log.consumers[-1].position == 1)
    log.interrupt_at, log.interruptions = 1, [KafkaConnectionError()]
    await until(lambda: len(log.consumers) == 2)
    log.append(marks(1))
    await until(lambda: seen == [1])


async def test_kafka_away_at_the_start_is_waited_for(follow: Follow) -> None:
    seen: list[int] = []
    log = Log(marks(0))
    log.interruptions = [KafkaConnectionError(), OSError()]
    follow(log, seen, tail=1)
    await until(lambda: seen == [0])
    assert len(log.consumers) == 3


async def test_every_consumer_is_stopped_even_when_it_did_not_start(follow: Follow) -> None:
    seen: list[int] = []
    log = Log(marks(0))
    log.interruptions = [KafkaConnectionError(), OSError()]
    follow(log, seen, tail=1)
    await until(lambda: seen == [0])
    assert [consumer.stopped for consumer in log.consumers] == [True, True, False]


async def test_garbage_is_passed_over(follow: Follow) -> None:
    seen: list[int] = []
    log = Log(b"\xff garbage", None, b"{}", marks(1), b'{"type":"market.marks","version":9}', marks(2))
    reader = follow(log, seen, tail=10)
    await asyncio.wait_for(reader.caught_up.wait(), 5)
    assert seen == [1, 2]


async def test_reader_has_no_group_and_commits_nothing(follow: Follow) -> None:
    log = Log(marks(0))
    reader = follow(log, [], tail=1)
    await asyncio.wait_for(reader.caught_up.wait(), 5)
    (consumer,) = log.consumers
    assert "group_id" not in consumer.options
    assert consumer.options["enable_auto_commit"] is False
