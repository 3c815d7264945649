"""Reads topics for commands: from the start, from an offset or the newest so many, without a group."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.settings import Settings

PATIENCE_MS = 200
MOST_RECENT = 20_000  # messages of a partition that are looked through


@asynccontextmanager
async def reader(config: Settings) -> AsyncIterator[Any]:
    """A started consumer without a group."""
    from aiokafka import AIOKafkaConsumer
    from aiokafka.errors import KafkaError

    consumer = AIOKafkaConsumer(
        bootstrap_servers=config.kafka.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        yield consumer
    except KafkaError as error:
        raise TransientError(f"Kafka at {config.kafka.bootstrap} does not answer") from error
    finally:
        await consumer.stop()


async def partitions(config: Settings, consumer: Any, topic: str) -> list[Any]:
    """The topic's partitions. Raises ConfigurationError when it does not exist."""
    from aiokafka import TopicPartition

    from faust_app.runtime.topology import topic_specs

    count = next((spec.partitions for spec in topic_specs(config) if spec.name == topic), 0)
    if not count or topic not in await consumer.topics():
        raise ConfigurationError(f"Topic {topic!r} does not exist yet; create it with `alpha-panda bootstrap`")
    return [TopicPartition(topic, number) for number in range(count)]


async def messages(
    config: Settings, consumer: Any, topic: str, *, newest: int | None = None, offset: int | None = None
) -> list[Any]:
    """What is in the topic now, by partition and offset: all, from `offset`, or the `newest` of each partition."""
    found: list[Any] = []
    named = await partitions(config, consumer, topic)
    begins, ends = await consumer.beginning_offsets(named), await consumer.end_offsets(named)
    for tp in named:
        begin, end = begins[tp], ends[tp]
        start = begin if newest is None else max(begin, end - newest)
        start = start if offset is None else max(begin, offset)
        if start >= end:  # nothing to read; a fetch that waits would hold up what is asked next
            continue
        consumer.assign([tp])
        consumer.seek(tp, start)
        while await consumer.position(tp) < end:
            batch = await consumer.getmany(tp, timeout_ms=PATIENCE_MS)
            found.extend(message for message in batch.get(tp, []) if message.offset < end)
        consumer.unsubscribe()
    return found


async def recent(config: Settings, consumer: Any, topics: Iterable[str], since: float) -> AsyncIterator[Any]:
    """What came into topics since an epoch second, by partition in order, the newest `MOST_RECENT` of each."""
    ahead = await _recent_offsets(config, consumer, topics, since)
    if not ahead:
        return
    consumer.assign(list(ahead))
    for tp, (start, _) in ahead.items():
        consumer.seek(tp, start)
    while ahead:
        batch = await consumer.getmany(*ahead, timeout_ms=PATIENCE_MS)
        for tp, messages in batch.items():
            for message in messages:
                if message.offset < ahead[tp][1]:
                    yield message
        for tp in list(ahead):
            if await consumer.position(tp) >= ahead[tp][1]:
                del ahead[tp]
    consumer.unsubscribe()


async def _recent_offsets(
    config: Settings, consumer: Any, topics: Iterable[str], since: float
) -> dict[Any, tuple[int, int]]:
    present = await consumer.topics()
    named = [tp for topic in topics if topic in present for tp in await partitions(config, consumer, topic)]
    if not named:
        return {}
    ends = await consumer.end_offsets(named)
    found = await consumer.offsets_for_times(dict.fromkeys(named, int(since * 1000)))
    starts = {tp: max(one.offset, ends[tp] - MOST_RECENT) for tp, one in found.items() if one is not None}
    return {tp: (start, ends[tp]) for tp, start in starts.items() if start < ends[tp]}
