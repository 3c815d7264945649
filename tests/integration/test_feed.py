"""The feed's connection to a misbehaving exchange: silent, closing, refusing."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from brokers.zerodha.frames import FrameDecoder
from brokers.zerodha.session import login, read_token, write_token
from brokers.zerodha.ticker import Address, Connection, Ticker
from models.messages.ticks import Mode, Tick
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
        self.thread = ""
        self._decoder = FrameDecoder()

    def on_frame(self, payload: bytes) -> None:
        self.thread = threading.current_thread().name
        if self.raises:
            raise RuntimeError("planted")
        self.ticks += self._decoder.decode(payload)

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
def token_file(tmp_path: Path) -> Path:
    return tmp_path / "access_token"


@pytest.fixture
def ticker(exchange: Exchange, listener: Listener, token_file: Path) -> Iterator[Ticker]:
    sessions = exchange.sandbox.sessions
    write_token(token_file, login(exchange.root, sessions.api_key, sessions.api_secret, sessions.new_request_token()))
    tokens = [int(row["instrument_token"]) for row in exchange.rows()]
    address = Address(exchange.ws_root, sessions.api_key, token_file)
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
def test_refused_token_stops_retrying_until_there_is_another(
    exchange: Exchange, listener: Listener, token_file: Path
) -> None:
    sessions = exchange.sandbox.sessions
    sessions.close(sessions.api_key, read_token(token_file))
    exchange.drop_all()
    wait_for(lambda: listener.states[-1:] == [Connection.REFUSED], "the refusal", 30)
    listener.ticks.clear()
    write_token(token_file, login(exchange.root, sessions.api_key, sessions.api_secret, sessions.new_request_token()))
    wait_for(lambda: listener.ticks, "ticks with the new token", 10)
    assert listener.attempts["token"] == 1


def test_token_file_is_readable_by_its_owner_only(token_file: Path) -> None:
    write_token(token_file, "secret")
    assert token_file.stat().st_mode & 0o777 == 0o600
    assert read_token(token_file) == "secret"
    assert read_token(token_file.with_name("none")) == ""
