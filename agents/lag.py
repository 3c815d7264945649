"""Lag seen from outside: log ends against committed offsets, and how old what waits is.

A consumer's own view of its lag ends with the consumer. A message that waits for longer than groups take to commit is
read, to know since when it waits.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Collection, Mapping
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata

from faust_app.runtime import metrics
from faust_app.runtime.admin import group_offsets
from faust_app.runtime.settings import Settings
from faust_app.runtime.topics import DLQ, Topics
from faust_app.runtime.topology import consumed_topics, workers

WAIT_SECONDS = 5.0
READ_SECONDS = 2.0
MILLISECONDS = 1_000
FETCH_BYTES = 1 << 12  # Kafka gives at least one message, however long
Ends = Mapping[TopicPartition, int]


class LagProbe:
    """One look at every group. Connect with `connect`; KafkaError and OSError while Kafka is away."""

    def __init__(self, settings: Settings, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer) -> None:
        self._topics = Topics(settings)
        self._partitions = settings.kafka.partitions
        self._admin = admin
        self._consumer = consumer
        self._groups = {
            self._topics.app_id(stage.name, broker): consumed_topics(settings, stage, broker)
            for stage, broker in workers(settings)
            if stage.consumes
        }
        self._looks: deque[tuple[float, Ends]] = deque()  # log ends, by when they were asked for

    @classmethod
    async def connect(cls, settings: Settings) -> Self:
        """With clients of its own."""
        bootstrap = settings.kafka.bootstrap
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        probe = cls(settings, admin, consumer)
        try:
            await asyncio.gather(admin.start(), consumer.start())
        except BaseException:
            await probe.close()
            raise
        return probe

    async def close(self) -> None:
        """Disconnect."""
        await asyncio.gather(self._admin.close(), self._consumer.stop())

    async def look(self) -> None:
        """Set the metrics of every group and topic."""
        topics = sorted({topic for consumed in self._groups.values() for topic in consumed})
        ends = await self._consumer.end_offsets([tp for topic in topics for tp in self._of(topic)])
        for topic in topics:
            metrics.TOPIC_END.labels(topic).set(sum(ends[tp] for tp in self._of(topic)))
        positions = {group: await group_offsets(self._admin, group) for group in self._groups}
        committed = {group: self._committed(group, offsets) for group, offsets in positions.items()}
        before = self._ends_before(time.monotonic())
        stuck = {(tp, at) for offsets in committed.values() for tp, at in offsets.items() if at < before.get(tp, 0)}
        since = await self._arrivals(stuck)
        for group, topics_of in self._groups.items():
            for topic in topics_of:
                self._show(group, topic, {tp: committed[group][tp] for tp in self._of(topic)}, ends, since)
        await self._show_dead_letters(topics)
        self._looks.append((time.monotonic(), ends))

    def _ends_before(self, now: float) -> Ends:
        """Log ends of at least `WAIT_SECONDS` ago; what is below them has waited."""
        while len(self._looks) > 1 and now - self._looks[1][0] >= WAIT_SECONDS:
            self._looks.popleft()
        if not self._looks or now - self._looks[0][0] < WAIT_SECONDS:
            return {}
        return self._looks[0][1]

    def _committed(self, group: str, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> Ends:
        """Of every partition the group consumes; 0 where it never committed."""
        consumed = [tp for topic in self._groups[group] for tp in self._of(topic)]
        return {tp: offsets[tp].offset if tp in offsets else 0 for tp in consumed}

    def _of(self, topic: str) -> list[TopicPartition]:
        count = 1 if self._topics.parse(topic).topic.is_broadcast else self._partitions
        return [TopicPartition(topic, number) for number in range(count)]

    def _show(
        self, group: str, topic: str, committed: Ends, ends: Ends, since: Mapping[tuple[TopicPartition, int], float]
    ) -> None:
        waiting = []
        for tp, offset in committed.items():
            metrics.LAG.labels(group, topic, str(tp.partition)).set(max(0, ends[tp] - offset))
            if (tp, offset) in since:
                waiting.append(since[tp, offset])
        metrics.LAG_AGE.labels(group, topic).set(min(waiting, default=0))

    async def _arrivals(self, stuck: Collection[tuple[TopicPartition, int]]) -> dict[tuple[TopicPartition, int], float]:
        """When Kafka took the message at each of these positions."""
        found: dict[tuple[TopicPartition, int], float] = {}
        for tp, offset in sorted(stuck):
            self._consumer.assign([tp])
            self._consumer.seek(tp, offset)
            batch = await self._consumer.getmany(tp, timeout_ms=int(READ_SECONDS * MILLISECONDS), max_records=1)
            for message in batch.get(tp, ()):
                found[tp, offset] = message.timestamp / MILLISECONDS
        if stuck:
            self._consumer.unsubscribe()
        return found

    async def _show_dead_letters(self, topics: Collection[str]) -> None:
        letters = [TopicPartition(f"{topic}{DLQ}", 0) for topic in topics]
        ends = await self._consumer.end_offsets(letters)
        begins = await self._consumer.beginning_offsets(letters)
        for tp in letters:
            metrics.DLQ_MESSAGES.labels(tp.topic).set(ends[tp] - begins[tp])
