"""Reading topics for commands: an empty partition is not fetched from, for a fetch that waits holds up what follows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from faust_app.commands import kafka_reader
from faust_app.commands.kafka_reader import messages, recent
from faust_app.runtime.settings import load_settings
from faust_app.runtime.topics import Topic, Topics

SETTINGS = load_settings("base")
TOPIC = Topics(SETTINGS).name(Topic.MARKET_TICKS)


class Consumer:
    """Partitions with so many messages, and which of them are assigned."""

    def __init__(self, counts: list[int]) -> None:
        self.counts = {TopicPartition(TOPIC, number): count for number, count in enumerate(counts)}
        self.positions: dict[TopicPartition, int] = {}
        self.assigned: list[TopicPartition] = []
        self.ever_assigned: list[TopicPartition] = []

    async def topics(self) -> set[str]:
        return {TOPIC}

    async def beginning_offsets(self, named: list[TopicPartition]) -> dict[TopicPartition, int]:
        assert not self.assigned
        return dict.fromkeys(named, 0)

    async def end_offsets(self, named: list[TopicPartition]) -> dict[TopicPartition, int]:
        assert not self.assigned
        return {tp: self.counts[tp] for tp in named}

    def assign(self, named: list[TopicPartition]) -> None:
        self.assigned = named
        self.ever_assigned += named

    def unsubscribe(self) -> None:
        self.assigned = []

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.positions[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        return self.positions[tp]

    async def offsets_for_times(self, times: dict[TopicPartition, int]) -> dict[TopicPartition, Any]:
        """A message came every second, the first at second 0."""
        assert not self.assigned
        first = {tp: -(-at // 1000) for tp, at in times.items()}
        return {tp: SimpleNamespace(offset=at) if at < self.counts[tp] else None for tp, at in first.items()}

    async def getmany(self, *tps: TopicPartition, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        tp = next(one for one in tps if self.positions[one] < self.counts[one] + 1)
        at = self.positions[tp]
        self.positions[tp] += 1
        return {tp: [SimpleNamespace(partition=tp.partition, offset=at)]}


async def read(consumer: Consumer, **wanted: int) -> list[tuple[int, int]]:
    found = await messages(SETTINGS, consumer, TOPIC, **wanted)
    return [(one.partition, one.offset) for one in found]


async def test_only_partitions_with_something_to_read_are_fetched_from() -> None:
    consumer = Consumer([0, 3, 0, 1])
    assert await read(consumer) == [(1, 0), (1, 1), (1, 2), (3, 0)]
    assert [tp.partition for tp in consumer.ever_assigned] == [1, 3]
    assert consumer.assigned == []


async def test_the_newest_of_each_partition_or_what_follows_an_offset() -> None:
    assert await read(Consumer([0, 3, 0, 1]), newest=1) == [(1, 2), (3, 0)]
    assert await read(Consumer([0, 3, 0, 1]), offset=2) == [(1, 2)]


async def recently(consumer: Consumer, since: float) -> list[tuple[int, int]]:
    topics = [TOPIC, "not.there.yet"]
    return [(one.partition, one.offset) async for one in recent(SETTINGS, consumer, topics, since)]


async def test_recent_messages_are_those_since_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await recently(Consumer([0, 3, 0, 1]), 0.5) == [(1, 1), (1, 2)]
    consumer = Consumer([0, 3, 0, 1])
    assert await recently(consumer, 0) == [(1, 0), (1, 1), (1, 2), (3, 0)]
    assert await recently(consumer, 0) == [(1, 0), (1, 1), (1, 2), (3, 0)]  # and again on the same consumer
    assert await recently(Consumer([0, 3, 0, 1]), 3) == []
    monkeypatch.setattr(kafka_reader, "MOST_RECENT", 2)
    assert await recently(Consumer([0, 3, 0, 1]), 0) == [(1, 1), (1, 2), (3, 0)]
