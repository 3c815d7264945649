"""Publishes an operator's change on `control.events`, so that workers react and the ledger keeps it."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec

from faust_app.runtime.settings import Settings
from models.messages.envelope import Envelope


def actor() -> str:
    """Who is asking: the login name of this process's user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def operator_event(body: msgspec.Struct, scope: str) -> Envelope[Any]:
    """The envelope of what an operator did to a scope, just now."""
    from faust_app.runtime.codec import new_id, root
    from faust_app.runtime.topics import SHARED

    return root(body, message_id=new_id(), broker=SHARED, key=scope, source="operator", at=datetime.now(UTC))


@asynccontextmanager
async def control_events(config: Settings) -> AsyncIterator[Callable[[Envelope[Any]], Awaitable[None]]]:
    """A function that sends one event and waits until Kafka has it. Kafka must answer to begin with."""
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    from faust_app.runtime.codec import encode
    from faust_app.runtime.errors import TransientError
    from faust_app.runtime.topics import Topic, Topics

    topic = Topics(config).name(Topic.CONTROL_EVENTS)
    producer = AIOKafkaProducer(bootstrap_servers=config.kafka.bootstrap, acks="all", enable_idempotence=True)

    async def publish(envelope: Envelope[Any]) -> None:
        await producer.send_and_wait(topic, key=envelope.key.encode(), value=encode(envelope))

    try:
        await producer.start()
        yield publish
    except KafkaError as error:
        raise TransientError(f"Kafka at {config.kafka.bootstrap} does not answer") from error
    finally:
        await producer.stop()
