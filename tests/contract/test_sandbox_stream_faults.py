"""Faults of the WebSocket, as the unmodified KiteTicker meets them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kiteconnect import KiteTicker
from twisted.internet import reactor

from brokers.zerodha.ticker import start_reactor
from sandbox.rules import CallLimits, Rules
from sandbox.scenario import Scenario
from tests.exchange import Exchange, synthetic
from tests.running_stack import wait_for

BEAT = b"\x00"


class Client:
    """A real KiteTicker that keeps frames and ticks."""

    def __init__(self, exchange: Exchange, tokens: list[int]) -> None:
        start_reactor()
        self.ticks: list[dict[str, Any]] = []
        self.frames: list[bytes] = []
        self.opened = self.closed = 0
        self.ticker = KiteTicker(
            exchange.sandbox.sessions.api_key, exchange.client().access_token, root=exchange.ws_root
        )
        self.ticker.on_ticks = lambda _, ticks: self.ticks.extend(ticks)
        self.ticker.on_message = lambda _, payload, binary: self.frames.append(payload)
        self.ticker.on_connect = lambda ws, _: self._subscribe(ws, tokens)
        self.ticker.on_close = self._note_end
        reactor.callFromThread(self.ticker.connect, threaded=True)
        wait_for(lambda: self.ticks, "the first tick")

    def _subscribe(self, ws: Any, tokens: list[int]) -> None:
        ws.subscribe(tokens)
        ws.set_mode("full", tokens)
        self.opened += 1

    def _note_end(self, *_: Any) -> None:
        self.closed += 1

    def times(self) -> list[float]:
        return [tick["exchange_timestamp"].timestamp() for tick in list(self.ticks) if "exchange_timestamp" in tick]


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    rules = Rules(limits=CallLimits(enabled=False))
    running = Exchange(synthetic(rate=60), speed=2, scenario=Scenario(rules=rules), autostart=True)
    yield running
    running.stop()


@pytest.fixture
def connect(exchange: Exchange) -> Iterator[Callable[[], Client]]:
    made: list[Client] = []

    def one_more() -> Client:
        tokens = [row["instrument_token"] for row in exchange.rows() if row["segment"] == "NSE"]
        made.append(Client(exchange, tokens))
        return made[-1]

    yield one_more
    for one in made:
        reactor.callFromThread(one.ticker.stop_retry)
        reactor.callFromThread(one.ticker.close)


def test_frozen_socket_stays_connected_and_silent(exchange: Exchange, connect: Callable[[], Client]) -> None:
    client = connect()
    exchange.fault("frozen_socket", count=1)
    wait_for(lambda: exchange.ask("GET", "/faults")[0]["hits"], "the fault")
    sent = exchange.sandbox.status()["ticks_sent"]
    seen = len(client.frames)
    wait_for(lambda: exchange.sandbox.status()["ticks_sent"] > sent + 100, "what would have been a hundred ticks")
    assert len(client.frames) <= seen + 1  # one may have been on its way
    assert (client.ticker.is_connected(), client.closed) == (True, 0)
    assert connect().ticks  # another connection is served


def test_heartbeats_go_on_without_ticks(exchange: Exchange, connect: Callable[[], Client]) -> None:
    client = connect()
    number = exchange.fault("heartbeats_only")
    wait_for(lambda: client.frames[-2:] == [BEAT, BEAT], "two heartbeats in a row")
    exchange.ask("DELETE", f"/faults/{number}")
    client.ticks.clear()
    wait_for(lambda: client.ticks, "ticks again")


def test_disconnected_client_comes_back(exchange: Exchange, connect: Callable[[], Client]) -> None:
    client = connect()
    exchange.fault("disconnect", count=1)
    wait_for(lambda: client.closed, "the end of the connection")
    wait_for(lambda: client.opened == 2, "the reconnect", 20)


def test_duplicates_and_old_ticks(exchange: Exchange, connect: Callable[[], Client]) -> None:
    client = connect()
    wait_for(lambda: len(client.ticks) > 20, "ticks after the cached ones")
    client.ticks.clear()
    wait_for(lambda: len(client.ticks) > 50, "ticks without a fault")
    assert not repeated(client)
    assert client.times() == sorted(client.times())
    exchange.fault("ticks_duplicated", count=3)
    wait_for(lambda: repeated(client), "a duplicate")
    assert client.times() == sorted(client.times())
    exchange.fault("ticks_reordered", period=3)
    wait_for(lambda: client.times() != sorted(client.times()), "a tick out of order")


def repeated(client: Client) -> bool:
    """True when a whole batch came twice."""
    seen = [(tick["instrument_token"], tick.get("volume_traded"), tick["last_price"]) for tick in list(client.ticks)]
    return len(set(seen)) < len(seen)


def test_first_tick_of_a_subscription_is_stale(exchange: Exchange, connect: Callable[[], Client]) -> None:
    connect()
    exchange.fault("stale_first_tick", seconds=3600)
    began = exchange.sandbox.broker.clock.now
    client = connect()
    wait_for(client.times, "a full tick")
    assert client.times()[0] < began - 3500


@pytest.mark.parametrize("kind", ["unknown_packet", "volume_backwards"])
def test_odd_packets_do_not_end_the_connection(exchange: Exchange, connect: Callable[[], Client], kind: str) -> None:
    client = connect()
    exchange.fault(kind, count=3)
    wait_for(lambda: exchange.ask("GET", "/faults")[0]["hits"] == 3, "the fault")
    client.ticks.clear()
    wait_for(lambda: client.ticks, "ticks afterwards")
    assert client.closed == 0


def test_truncated_frame_costs_the_library_its_connection(exchange: Exchange, connect: Callable[[], Client]) -> None:
    client = connect()
    exchange.fault("truncated_frame", count=1)
    wait_for(lambda: client.closed, "the end of the connection", 20)
    wait_for(lambda: client.opened == 2, "the reconnect", 20)


def test_market_data_does_not_wait_for_faults_of_calls(exchange: Exchange, connect: Callable[[], Client]) -> None:
    client = connect()
    exchange.fault("no_answer", endpoints=["*"])
    began = time.monotonic()
    client.ticks.clear()
    wait_for(lambda: len(client.ticks) > 20, "twenty ticks")
    assert time.monotonic() - began < 10
