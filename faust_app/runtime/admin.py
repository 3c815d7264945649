"""Creates topics, and says where an existing one is not what it should be."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError, TopicAlreadyExistsError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from faust_app.runtime.errors import TransientError
from faust_app.runtime.settings import Settings
from faust_app.runtime.topics import TopicSpec

VISIBLE_TRIES = 300
VISIBLE_SECONDS = 0.1
COORDINATOR_TRIES = 50
CHECKED = ("cleanup.policy", "retention.ms", "max.message.bytes")


@dataclass(frozen=True)
class Bootstrapped:
    """What `bootstrap` found and did. `mismatches` are sentences."""

    created: list[str]
    existing: list[str]
    mismatches: list[str]


async def bootstrap(settings: Settings, specs: Sequence[TopicSpec], *, create: bool = True) -> Bootstrapped:
    """Create missing topics; report existing ones that differ. Raises TransientError when Kafka is away."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap)
    try:
        await admin.start()
        return await _bootstrap(admin, settings, specs, create)
    except KafkaError as error:
        raise TransientError(f"Kafka at {settings.kafka.bootstrap} does not answer: {error}") from error
    finally:
        await admin.close()


async def _bootstrap(
    admin: AIOKafkaAdminClient, settings: Settings, specs: Sequence[TopicSpec], create: bool
) -> Bootstrapped:
    present = set(await admin.list_topics())
    missing = [spec for spec in specs if spec.name not in present]
    existing = [spec for spec in specs if spec.name in present]
    mismatches = await _mismatches(admin, existing)
    if create and missing:
        await _create(admin, settings, missing)
    elif missing:
        mismatches += [f"{spec.name} does not exist" for spec in missing]
    return Bootstrapped([spec.name for spec in missing] if create else [], [s.name for s in existing], mismatches)


async def remove(settings: Settings, names: Sequence[str]) -> None:
    """Delete topics; those that do not exist are ignored."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap)
    try:
        await admin.start()
        present = set(await admin.list_topics())
        doomed = present & set(names)
        await admin.delete_topics(sorted(doomed))
        await _until(lambda present: not doomed & present, admin)
    except KafkaError as error:
        raise TransientError(f"Kafka at {settings.kafka.bootstrap} does not answer: {error}") from error
    finally:
        await admin.close()


async def group_offsets(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
    """A group's committed positions; empty for a group that never committed."""
    for _ in range(COORDINATOR_TRIES):
        try:
            found = await admin.list_consumer_group_offsets(group)
        except GroupCoordinatorNotAvailableError:  # a young broker makes its offsets topic when first asked
            await asyncio.sleep(VISIBLE_SECONDS)
        else:
            return {tp: position for tp, position in found.items() if position.offset >= 0}
    raise TransientError("Kafka has no coordinator for consumer groups yet")


async def _create(admin: AIOKafkaAdminClient, settings: Settings, specs: Sequence[TopicSpec]) -> None:
    replication = settings.kafka.replication
    new = [NewTopic(spec.name, spec.partitions, replication, topic_configs=configs(spec)) for spec in specs]
    with contextlib.suppress(TopicAlreadyExistsError):
        await admin.create_topics(new)
    names = {spec.name for spec in specs}
    await _until(lambda present: names <= present, admin)


async def _until(condition: Callable[[set[str]], bool], admin: AIOKafkaAdminClient) -> None:
    """Wait until the topics Kafka lists are as they should be."""
    for _ in range(VISIBLE_TRIES):
        if condition(set(await admin.list_topics())):
            return
        await asyncio.sleep(VISIBLE_SECONDS)
    raise TransientError("Kafka does not show changed topics in time")


def configs(spec: TopicSpec) -> dict[str, str]:
    """Topic configuration as Kafka names it."""
    found = {
        "cleanup.policy": spec.cleanup,
        "retention.ms": str(spec.retention_ms),
        "max.message.bytes": str(spec.max_message_bytes),
    }
    if spec.cleanup == "compact":
        found |= {"min.cleanable.dirty.ratio": "0.1", "segment.ms": "600000"}
    return found


async def _mismatches(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> list[str]:
    if not specs:
        return []
    described = {row["topic"]: row for row in await admin.describe_topics([spec.name for spec in specs])}
    found = [
        f"{spec.name} has {len(described[spec.name]['partitions'])} partitions, expected {spec.partitions}"
        for spec in specs
        if len(described[spec.name]["partitions"]) != spec.partitions
    ]
    actual = await _topic_configs(admin, [spec.name for spec in specs])
    for spec in specs:
        wanted = configs(spec)
        for name in CHECKED:
            value = actual[spec.name].get(name)
            if value != wanted[name]:
                found.append(f"{spec.name} has {name}={value}, expected {wanted[name]}")
    return found


async def _topic_configs(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for _error, _message, _kind, name, entries in response.resources:
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found
