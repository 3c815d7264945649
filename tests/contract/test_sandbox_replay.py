"""A recording over real sockets: every tick reaches every client, at any speed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from brokers.zerodha.frames import FrameDecoder
from models.messages.ticks import Tick
from sandbox.replay import ReplayMarket
from tests.exchange import Exchange
from tests.running_stack import wait_for

MINUTES = 30
SYMBOLS = 15
READ_SIZE = 20_000  # small reads with pauses: slower than the market


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(SYMBOLS):
        rows = ["Code,Date,Open,High,Low,Close,Volume"]
        for minute in range(MINUTES):
            low = 100 + number + minute % 7
            rows.append(
                f"S{number:02},2016-08-16 {9 + (15 + minute) // 60:02}:{(15 + minute) % 60:02}:00, "
                f"{low + 0.5}, {low + 2}, {low}, {low + 1.05}, {minute * 13 + number}"
            )
        (tmp_path / f"S{number:02}.csv").write_text("\n".join(rows))
    return tmp_path


def market(folder: Path) -> ReplayMarket:
    return ReplayMarket(folder, day=None, most_symbols=None)


@pytest.fixture
def expected(folder: Path) -> list[Tick]:
    return [tick for batch in market(folder).batches() for tick in batch.ticks]


@pytest.fixture(params=[600.0, 1000.0], ids=["600x", "1000x"])
def exchange(folder: Path, request: pytest.FixtureRequest) -> Iterator[Exchange]:
    running = Exchange(market(folder), speed=request.param)
    yield running
    running.stop()


async def collect(exchange: Exchange, access_token: str, tokens: list[int], count: int, pause: float) -> list[Tick]:
    """Ticks of one client that pauses after each frame, until `count` have come."""
    decoder, found = FrameDecoder(), list[Tick]()
    query = {"api_key": exchange.sandbox.sessions.api_key, "access_token": access_token}
    async with (
        aiohttp.ClientSession(read_bufsize=READ_SIZE) as session,
        session.ws_connect(exchange.root, params=query) as stream,
    ):
        await stream.send_json({"a": "mode", "v": ["full", tokens]})
        async with asyncio.timeout(60):
            while len(found) < count:
                found += decoder.decode((await stream.receive()).data)
                await asyncio.sleep(pause)
    return found


async def test_every_tick_comes_once_in_order_to_fast_and_slow_clients(
    exchange: Exchange, expected: list[Tick]
) -> None:
    client = exchange.client()
    tokens = [int(row["instrument_token"]) for row in client.instruments()]
    assert len(expected) == SYMBOLS * MINUTES * 4
    both = [collect(exchange, client.access_token, tokens, len(expected), pause) for pause in (0.0, 0.01)]
    fast, slow = await asyncio.gather(*both)
    assert fast == expected
    assert slow == expected
    wait_for(lambda: exchange.sandbox.status()["finished"], "the end of the recording", 10)
    assert exchange.sandbox.status()["ticks_sent"] == 2 * len(expected)


@pytest.mark.parametrize("exchange", [1000.0], indirect=True)
async def test_heartbeats_go_on_after_the_end(exchange: Exchange, expected: list[Tick]) -> None:
    client = exchange.client()
    query = {"api_key": exchange.sandbox.sessions.api_key, "access_token": client.access_token}
    async with aiohttp.ClientSession() as session, session.ws_connect(exchange.root, params=query) as stream:
        await stream.send_json({"a": "subscribe", "v": [expected[0].instrument_token]})
        async with asyncio.timeout(60):
            while not exchange.sandbox.status()["finished"]:
                await stream.receive()
            beats = 0
            while beats < 2:
                beats += (await stream.receive()).data == b"\x00"


async def test_market_waits_for_a_client_that_does_not_read(folder: Path) -> None:
    running = Exchange(market(folder), speed=1000)
    try:
        client = running.client()
        hub = running.sandbox._hub
        query = {"api_key": running.sandbox.sessions.api_key, "access_token": client.access_token}
        async with aiohttp.ClientSession() as session, session.ws_connect(running.root, params=query) as stream:
            wait_for(lambda: hub.connections, "the connection", 10)
            (connection,) = hub.connections
            full = _Full(connection._transport)
            connection._transport = full
            await stream.send_json({"a": "mode", "v": ["full", list(hub._known)]})
            wait_for(lambda: running.sandbox.status()["ticks_sent"], "the first ticks", 10)
            clock = running.sandbox.status()["clock"]
            await asyncio.sleep(0.3)  # 300 market seconds
            assert running.sandbox.status()["clock"] == clock
            full.is_full = False
            async with asyncio.timeout(30):
                while not running.sandbox.status()["finished"]:
                    await stream.receive()
            assert running.sandbox.status()["ticks_sent"] == SYMBOLS * MINUTES * 4
    finally:
        running.stop()


class _Full:
    """A transport that says its buffer is full."""

    def __init__(self, real: object) -> None:
        self._real = real
        self.is_full = True

    def get_write_buffer_size(self) -> int:
        return 2**30 if self.is_full else 0

    def is_closing(self) -> bool:
        return False
