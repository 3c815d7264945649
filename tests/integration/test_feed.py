"""The feed's connection to a misbehaving exchange: silent, closing, refusing."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from brokers.zerodha.frames import FrameDecoder
from brokers.zerodha.session import Session, SessionStore, SessionView, login, new_session_key
from brokers.zerodha.ticker import Address, Connection, Ticker
from models.messages.ticks import Mode, Tick
from tests.contract.fuzzing import packets
from tests.exchange import Exchange, synthetic
from tests.running_stack import wait_for

SILENT_SECONDS = 2.0


class Listener:
    """Collects what a ticker reports."""

    def __init__(self) -> None:
        self.ticks: list[Tick] = []
        self.states: list[Connection] = []
        self.attempts: Counter[str] = Counter()
        self.raises = False
        self.texts = 0
        self.thread = ""
        self._decoder = FrameDecoder()

    def on_frame(self, payload: bytes) -> None:
        self.thread = threading.current_thread().name
        if self.raises:
            raise RuntimeError("planted")
        self.ticks += self._decoder.decode(payload)

    def on_text(self, payload: bytes) -> None:
        self.texts += 1

    def on_state(self, number: int, state: Connection, reason: str) -> None:
        self.states.append(state)

    def on_attempt(self, cause: str) -> None:
        self.attempts[cause] += 1


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    running = Exchange(synthetic())
    yield running
    running.stop()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def store(tmp_path: Path) -> SessionStore:
    return SessionStore(tmp_path / "session", new_session_key())


def log_in(exchange: Exchange, store: SessionStore) -> None:
    sessions = exchange.sandbox.sessions
    request_token = sessions.new_request_token()
    store.write(login(exchange.root, sessions.api_key, sessions.api_secret, request_token, time.time()))


@pytest.fixture
def ticker(exchange: Exchange, listener: Listener, store: SessionStore) -> Iterator[Ticker]:
    api_key = exchange.sandbox.sessions.api_key
    tokens = [int(row["instrument_token"]) for row in exchange.rows()]
    log_in(exchange, store)
    address = Address(exchange.ws_root, api_key, SessionView(store, api_key, time.time))
    running = Ticker(0, address, tokens, listener, SILENT_SECONDS)
    running.start()
    wait_for(lambda: listener.ticks, "the first tick", 15)
    yield running
    running.stop()
    wait_for(lambda: not exchange.connections(), "the end of the connection", 10)


@pytest.mark.usefixtures("ticker")
def test_every_tick_is_full_from_the_first_on(listener: Listener) -> None:
    assert {tick.mode for tick in listener.ticks} == {Mode.FULL}
    assert listener.thread == "reactor"
    first = {tick.instrument_token: tick.sequence for tick in reversed(listener.ticks)}
    assert set(first.values()) == {1}


@pytest.mark.usefixtures("ticker")
def test_silent_socket_is_replaced_within_ten_seconds(exchange: Exchange, listener: Listener) -> None:
    exchange.call(exchange.freeze)
    frozen = time.monotonic()
    listener.ticks.clear()
    wait_for(lambda: listener.ticks, "ticks on a new socket", 10)
    assert time.monotonic() - frozen < 10
    assert listener.attempts["silent"] == 1


@pytest.mark.usefixtures("ticker")
def test_closed_socket_is_subscribed_again(exchange: Exchange, listener: Listener) -> None:
    exchange.drop_all()
    wait_for(lambda: listener.attempts["reconnect"], "the reconnect", 20)
    listener.ticks.clear()
    wait_for(lambda: listener.ticks, "ticks after the reconnect", 10)
    assert Connection.CONNECTING in listener.states


@pytest.mark.usefixtures("ticker")
def test_raising_listener_does_not_cost_the_connection(exchange: Exchange, listener: Listener) -> None:
    listener.raises = True
    sent = exchange.sandbox.status()["ticks_sent"]
    wait_for(lambda: exchange.sandbox.status()["ticks_sent"] > sent + 50, "more ticks")
    listener.raises = False
    listener.ticks.clear()
    wait_for(lambda: listener.ticks, "ticks on the same connection", 10)
    assert listener.attempts == {"start": 1}


@pytest.mark.usefixtures("ticker")
def test_frames_that_nobody_can_read_do_not_cost_the_connection(exchange: Exchange, listener: Listener) -> None:
    rng = Random(3)
    texts = ["[]", "5", "null", "{", "", '{"type": []}', '{"type": "order"}', "[" * 100_000, '{"type": "error"}']
    for connection in list(exchange.sandbox._hub.connections):
        for text in texts:
            exchange.run(connection.send_text(text))
        for _ in range(300):
            exchange.run(connection.send_raw(packets(rng, b"\x00\x01\x00\x08" + bytes(8))))
    listener.ticks.clear()
    known = {int(row["instrument_token"]) for row in exchange.rows()}
    wait_for(lambda: known & {one.instrument_token for one in listener.ticks}, "ticks on the same connection", 10)
    wait_for(lambda: listener.texts == len(texts), "every text frame", 10)
    assert listener.attempts == {"start": 1}


@pytest.mark.usefixtures("ticker")
def test_refused_token_stops_retrying_until_there_is_another(
    exchange: Exchange, listener: Listener, store: SessionStore
) -> None:
    sessions, held = exchange.sandbox.sessions, store.read()
    assert isinstance(held, Session)
    sessions.close(sessions.api_key, held.access_token)
    exchange.drop_all()
    wait_for(lambda: listener.states[-1:] == [Connection.REFUSED], "the refusal", 30)
    listener.ticks.clear()
    log_in(exchange, store)
    wait_for(lambda: listener.ticks, "ticks with the new token", 10)
    assert listener.attempts["token"] == 1


def test_without_a_session_nothing_is_asked_until_there_is_one(
    exchange: Exchange, listener: Listener, store: SessionStore
) -> None:
    api_key = exchange.sandbox.sessions.api_key
    running = Ticker(
        0, Address(exchange.ws_root, api_key, SessionView(store, api_key, time.time)), [1], listener, SILENT_SECONDS
    )
    running.start()
    wait_for(lambda: listener.states, "the state", 10)
    assert (listener.states, listener.attempts.total()) == ([Connection.REFUSED], 0)
    log_in(exchange, store)
    wait_for(lambda: Connection.CONNECTED in listener.states, "the connection", 10)
    running.stop()
    wait_for(lambda: not exchange.connections(), "the end of the connection", 10)
