"""Faults of the WebSocket, seen from a hub's clients."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from sandbox.faults import Fault, Faults
from sandbox.hub import Hub
from tests.unit.sandbox.test_hub import KNOWN, Client, tick


class Stage:
    """One subscribed client and the faults of its hub."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.hub = Hub(KNOWN, self.faults)
        self.client = Client(self.hub)

    async def begin(self) -> Stage:
        await self.client.say({"a": "mode", "v": ["full", [1, 2, 3]]})
        return self

    def fault(self, kind: str, **settings: Any) -> None:
        self.faults.switch_on(Fault.model_validate({"kind": kind, **settings}))

    async def send(self, *tokens: int) -> None:
        await self.hub.broadcast([tick(token) for token in tokens], wait=False)

    @property
    def tokens(self) -> list[int]:
        return [token for token, _ in self.client.packets]


@pytest.fixture
async def stage() -> Stage:
    return await Stage().begin()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("heartbeats_only", [3]),
        ("ticks_duplicated", [1, 2, 1, 2, 3]),
        ("ticks_reordered", [3, 1, 2]),
        ("reject", [1, 2, 3]),
    ],
)
async def test_batch_is_disturbed_once(stage: Stage, kind: str, expected: list[int]) -> None:
    stage.fault(kind, count=1)
    await stage.send(1, 2)
    await stage.send(3)
    assert stage.tokens == expected


async def test_ticks_held_back_come_also_when_the_fault_is_gone(stage: Stage) -> None:
    stage.fault("ticks_reordered")
    await stage.send(1)
    stage.faults.switch_off()
    await stage.send(2)
    assert stage.tokens == [2, 1]


async def test_volume_goes_backwards(stage: Stage) -> None:
    stage.fault("volume_backwards", count=1)
    await stage.hub.broadcast([msgspec.structs.replace(tick(1), volume=100)], wait=False)
    frame = stage.client.socket.frames[0]
    assert int.from_bytes(frame[4 + 16 : 4 + 20], "big") == 50


@pytest.mark.parametrize(("kind", "size"), [("truncated_frame", 2 + 46 + 1), ("unknown_packet", 4 + 10)])
async def test_broken_frame_comes_before_the_batch(stage: Stage, kind: str, size: int) -> None:
    stage.fault(kind, count=1)
    await stage.send(1)
    assert [len(frame) for frame in stage.client.socket.frames] == [size, 2 + 2 + 184]


async def test_first_tick_is_stale(stage: Stage) -> None:
    now = msgspec.structs.replace(tick(4), exchange_time=10_000)
    await stage.hub.broadcast([now], wait=False)
    stage.fault("stale_first_tick", seconds=600, count=1)
    await stage.client.say({"a": "mode", "v": ["full", [4]]})
    frame = stage.client.socket.frames[-1]
    assert int.from_bytes(frame[4 + 60 : 4 + 64], "big") == 9_400


async def beat(stage: Stage) -> None:
    """Heartbeats until a fault of connections has struck."""
    beating = asyncio.create_task(stage.hub.beat())
    async with asyncio.timeout(5):
        while not any(body["hits"] for body in stage.faults.bodies()):
            await asyncio.sleep(0.01)
    beating.cancel()


async def test_frozen_connection_stays_and_gets_nothing(stage: Stage) -> None:
    stage.fault("frozen_socket", count=1)
    await beat(stage)
    await stage.send(1)
    await stage.hub.announce("{}")
    assert (stage.client.socket.frames, stage.client.socket.texts) == ([], [])
    assert stage.client.transport.is_paused
    assert (len(stage.hub.connections), stage.hub.served, stage.client.transport.aborted) == (1, 0, False)
    other = Client(stage.hub)
    await other.say({"a": "subscribe", "v": [1]})
    await stage.send(1)
    assert len(other.socket.frames) == 2  # the cached tick and the new one


async def test_disconnect_cuts_the_connection(stage: Stage) -> None:
    stage.fault("disconnect", count=1)
    await beat(stage)
    assert stage.client.transport.aborted
