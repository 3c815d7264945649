"""Publishes an operator's change on `control.events`, so that workers react and the ledger keeps it."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec

from faust_app.runtime.settings import Settings

Publish = Callable[[msgspec.Struct, str], Awaitable[None]]


def actor() -> str:
    """Who is asking: the login name of this process's user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


@asynccontextmanager
async def control_events(config: Settings) -> AsyncIterator[Publish]:
    """A function that sends one event of a scope and waits until Kafka has it. Kafka must answer to begin with."""
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    from faust_app.runtime.codec import encode, new_id, root
    from faust_app.runtime.errors import TransientError
    from faust_app.runtime.topics import SHARED, Topic, Topics

    topic = Topics(config).name(Topic.CONTROL_EVENTS)
    producer = AIOKafkaProducer(bootstrap_servers=config.kafka.bootstrap, acks="all", enable_idempotence=True)

    async def publish(body: msgspec.Struct, scope: str) -> None:
        now = datetime.now(UTC)
        envelope = root(body, message_id=new_id(), broker=SHARED, key=scope, source="operator", at=now)
        await producer.send_and_wait(topic, key=scope.encode(), value=encode(envelope))

    try:
        await producer.start()
        yield publish
    except KafkaError as error:
        raise TransientError(f"Kafka at {config.kafka.bootstrap} does not answer") from error
    finally:
        await producer.stop()
