"""Subscriptions, limits and clients that do not read."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from models.messages.ticks import Mode, Tick
from sandbox.hub import MOST_AHEAD, MOST_BUFFERED, MOST_TOKENS, Connection, Hub

KNOWN = set(range(1, MOST_TOKENS + 10))


class FakeTransport:
    """A socket's buffer, filled by hand."""

    def __init__(self) -> None:
        self.buffered = 0
        self.aborted = self.closing = self.is_paused = False

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def is_closing(self) -> bool:
        return self.closing or self.aborted

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.is_paused = True


class FakeSocket:
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.texts: list[dict[str, Any]] = []

    async def send_bytes(self, frame: bytes) -> None:
        self.frames.append(frame)

    async def send_str(self, text: str) -> None:
        self.texts.append(json.loads(text))


class Client:
    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.socket, self.transport = FakeSocket(), FakeTransport()
        self.connection = Connection(self.socket, self.transport)  # type: ignore[arg-type]
        hub.connections.add(self.connection)

    async def say(self, message: object) -> None:
        await self.hub.handle(self.connection, message if isinstance(message, str) else json.dumps(message))

    @property
    def packets(self) -> list[tuple[int, int]]:
        """Token and length of every packet."""
        found = []
        for frame in self.socket.frames:
            position = 2
            for _ in range(int.from_bytes(frame[:2], "big")):
                length = int.from_bytes(frame[position : position + 2], "big")
                found.append((int.from_bytes(frame[position + 2 : position + 6], "big"), length))
                position += 2 + length
            assert position == len(frame)
        return found


def tick(token: int) -> Tick:
    return Tick(token, 1, Mode.FULL, True, 150_000)


@pytest.fixture
def hub() -> Hub:
    return Hub(KNOWN)


@pytest.fixture
def client(hub: Hub) -> Client:
    return Client(hub)


async def test_subscribed_instruments_come_in_the_asked_mode_and_no_others(hub: Hub, client: Client) -> None:
    await client.say({"a": "subscribe", "v": [1, 2, 3]})
    await client.say({"a": "mode", "v": ["full", [1]]})
    await client.say({"a": "mode", "v": ["ltp", [2]]})
    await hub.broadcast([tick(number) for number in (1, 2, 3, 4)], wait=False)
    assert client.packets == [(1, 184), (2, 8), (3, 44)]
    assert hub.sent == 3


async def test_mode_alone_subscribes_and_unsubscribe_ends_it(hub: Hub, client: Client) -> None:
    await client.say({"a": "mode", "v": ["full", [1, 2]]})
    await client.say({"a": "unsubscribe", "v": [1, 99]})
    await hub.broadcast([tick(1), tick(2)], wait=False)
    assert client.packets == [(2, 184)]


async def test_new_subscriber_gets_the_last_tick_and_unknown_tokens_nothing(hub: Hub, client: Client) -> None:
    await hub.broadcast([tick(1), tick(2)], wait=False)
    assert client.packets == []
    await client.say({"a": "subscribe", "v": [2, 3, 10**9]})
    assert client.packets == [(2, 44)]
    assert set(client.connection.modes) == {2, 3}


async def test_most_tokens_can_be_subscribed_and_one_more_cannot(client: Client) -> None:
    await client.say({"a": "subscribe", "v": list(range(1, MOST_TOKENS + 1))})
    assert client.socket.texts == []
    await client.say({"a": "subscribe", "v": [1, 2]})  # no more than before
    assert client.socket.texts == []
    await client.say({"a": "mode", "v": ["full", [MOST_TOKENS + 1]]})
    assert client.socket.texts == [
        {"type": "error", "data": f"Cannot subscribe to more than {MOST_TOKENS} instruments"}
    ]
    assert len(client.connection.modes) == MOST_TOKENS


@pytest.mark.parametrize(
    "message",
    [
        "{", "null", "[]", "{}", '{"a":"subscribe"}', '{"a":"subscribe","v":1}', '{"a":"subscribe","v":["x"]}',
        '{"a":"mode","v":["full"]}', '{"a":"mode","v":["best",[1]]}', '{"a":"mode","v":[["full"],[1]]}',
        '{"a":"mode","v":{}}', '{"a":"dance","v":[1]}',
    ],
)  # fmt: skip
async def test_message_that_makes_no_sense_is_answered_with_an_error(client: Client, message: str) -> None:
    await client.say(message)
    assert client.socket.texts == [{"type": "error", "data": "Invalid message"}]
    assert client.connection.modes == {}


@pytest.mark.parametrize(("buffered", "dropped"), [(MOST_BUFFERED, False), (MOST_BUFFERED + 1, True)])
async def test_client_too_far_behind_is_dropped_and_the_others_get_their_ticks(
    hub: Hub, client: Client, buffered: int, dropped: bool
) -> None:
    other = Client(hub)
    for one in (client, other):
        await one.say({"a": "subscribe", "v": [1]})
    client.transport.buffered = buffered
    await hub.broadcast([tick(1)], wait=False)
    assert client.transport.aborted is dropped
    assert client.packets == ([] if dropped else [(1, 44)])
    assert other.packets == [(1, 44)]


async def test_market_that_waits_goes_on_when_the_client_has_read(hub: Hub, client: Client) -> None:
    await client.say({"a": "subscribe", "v": [1]})
    client.transport.buffered = MOST_AHEAD + 1
    sending = asyncio.create_task(hub.broadcast([tick(1)], wait=True))
    done, _ = await asyncio.wait({sending}, timeout=0.05)
    assert not done
    assert client.packets == [(1, 44)]
    client.transport.buffered = MOST_AHEAD
    await asyncio.wait_for(sending, 5)
    assert not client.transport.aborted


async def test_market_that_waits_does_not_wait_for_a_client_that_is_gone(hub: Hub, client: Client) -> None:
    client.transport.buffered = MOST_AHEAD + 1
    client.transport.closing = True
    await asyncio.wait_for(hub.broadcast([tick(1)], wait=True), 5)
