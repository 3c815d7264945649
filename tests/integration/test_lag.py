"""Lag seen from outside, on a real Kafka: how much waits, and since when."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from prometheus_client import REGISTRY

from agents import lag
from agents.lag import LagProbe
from faust_app.runtime import admin
from faust_app.runtime.settings import Settings
from faust_app.runtime.topics import Topic, Topics
from faust_app.runtime.topology import topic_specs


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"alpha_panda_{name}", labels)


@pytest.fixture
async def probe(settings: Settings) -> AsyncIterator[LagProbe]:
    await admin.bootstrap(settings, topic_specs(settings))
    found = await LagProbe.connect(settings)
    yield found
    await found.close()


@pytest.fixture
async def producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    found = AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap)
    await found.start()
    yield found
    await found.stop()


async def commit(settings: Settings, group: str, tp: TopicPartition, offset: int) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka.bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([tp])
    await consumer.commit({tp: offset})
    await consumer.stop()


async def test_lag_is_counted_and_what_waits_is_dated_by_kafka(
    settings: Settings, probe: LagProbe, producer: AIOKafkaProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lag, "WAIT_SECONDS", 0.0)
    topics = Topics(settings)
    group, topic = topics.app_id("risk_manager", "paper"), topics.name(Topic.SIGNALS_RAW, "paper")
    tp = TopicPartition(topic, 1)
    taken = [await producer.send_and_wait(topic, b"x", partition=1) for _ in range(3)]
    labels = {"group": group, "topic": topic}

    await probe.look()
    assert value("consumer_lag_messages", **labels, partition="1") == 3
    assert value("topic_end_offset", topic=topic) == 3
    assert value("oldest_unhandled_timestamp_seconds", **labels) == 0, "one look cannot tell what waits"
    await probe.look()
    assert value("oldest_unhandled_timestamp_seconds", **labels) == taken[0].timestamp / 1000

    await commit(settings, group, tp, 2)
    await probe.look()
    assert value("consumer_lag_messages", **labels, partition="1") == 1
    assert value("oldest_unhandled_timestamp_seconds", **labels) == taken[2].timestamp / 1000

    await commit(settings, group, tp, 3)
    await probe.look()
    assert value("consumer_lag_messages", **labels, partition="1") == 0
    assert value("oldest_unhandled_timestamp_seconds", **labels) == 0


async def test_what_came_since_the_look_before_does_not_wait_yet(
    settings: Settings, probe: LagProbe, producer: AIOKafkaProducer
) -> None:
    topics = Topics(settings)
    group, topic = topics.app_id("risk_manager", "paper"), topics.name(Topic.SIGNALS_RAW, "paper")
    await probe.look()
    await producer.send_and_wait(topic, b"x", partition=0)
    began = time.monotonic()
    await probe.look()
    assert time.monotonic() - began < lag.WAIT_SECONDS
    assert value("consumer_lag_messages", group=group, topic=topic, partition="0") == 1
    assert value("oldest_unhandled_timestamp_seconds", group=group, topic=topic) == 0


async def test_dead_letters_are_counted(settings: Settings, probe: LagProbe, producer: AIOKafkaProducer) -> None:
    letters = Topics(settings).dlq(Topics(settings).name(Topic.ORDERS_FILLED, "paper"))
    await producer.send_and_wait(letters, b"x", partition=0)
    await probe.look()
    assert value("dlq_messages", topic=letters) == 1
