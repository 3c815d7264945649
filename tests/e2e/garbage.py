"""What no topic should ever hold, and a way to put it there."""

from __future__ import annotations

import json

from aiokafka import AIOKafkaProducer

from faust_app.runtime.settings import Settings
from tests.running_stack import GARBAGE_KEY

GARBAGE = [
    b"",
    b"\x00\xff\xfe",
    b"{",
    b"[]",
    b"null",
    b'{"type": 1}',
    b'{"id": "x", "type": "signal.raised", "version": 1}',
    b'{"type": "signal.raised", "version": 99, "id": "x"}',
    b'{"price": NaN}',
    b'{"quantity": 1e999}',
    b"9" * 5000,
    b'{"a":' * 3000,
]


def newer(message: bytes) -> bytes:
    """The message as a release to come would write it."""
    document = json.loads(message)
    document["version"] = 2
    return json.dumps(document).encode()


def spoiled(message: bytes) -> list[bytes]:
    """A valid message, with a missing field, a wrong type, a NaN and a huge number."""
    document = json.loads(message)
    changes = ({"data": None}, {"key": 5}, {"occurred_at": "yesterday"}, {"version": 10**30})
    found = [json.dumps({**document, **change}).encode() for change in changes]
    for name, value in document["data"].items():
        if isinstance(value, str):
            found.append(json.dumps({**document, "data": {**document["data"], name: "NaN" * 900}}).encode())
            break
    return found


async def send(settings: Settings, topic: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka.bootstrap)
    await producer.start()
    try:
        for number, value in enumerate(values):
            await producer.send_and_wait(topic, value or None, key=GARBAGE_KEY, partition=number % 1)
    finally:
        await producer.stop()
