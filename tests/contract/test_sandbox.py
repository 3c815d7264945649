"""The unmodified kiteconnect client against the sandbox, over real sockets."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from kiteconnect import KiteConnect, KiteTicker
from kiteconnect.exceptions import InputException, TokenException
from twisted.internet import reactor

from brokers.zerodha.ticker import start_reactor
from tests.exchange import Exchange, synthetic
from tests.running_stack import wait_for
from trading.market.instrument_dump import parse_dump


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    running = Exchange(synthetic(), speed=2)
    yield running
    running.stop()


def test_session_profile_and_logout(exchange: Exchange) -> None:
    client = exchange.client()
    assert client.profile()["broker"] == "ZERODHA"
    client.invalidate_access_token()
    with pytest.raises(TokenException, match="Incorrect `api_key` or `access_token`"):
        client.profile()


def test_request_token_is_used_once(exchange: Exchange) -> None:
    sessions = exchange.sandbox.sessions
    token = sessions.new_request_token()
    KiteConnect(sessions.api_key, root=exchange.root).generate_session(token, sessions.api_secret)
    with pytest.raises(TokenException, match="Token is invalid or has expired"):
        KiteConnect(sessions.api_key, root=exchange.root).generate_session(token, sessions.api_secret)


def test_wrong_checksum_and_missing_fields_are_refused(exchange: Exchange) -> None:
    sessions = exchange.sandbox.sessions
    client = KiteConnect(sessions.api_key, root=exchange.root)
    with pytest.raises(TokenException, match="Invalid `checksum`"):
        client.generate_session(sessions.new_request_token(), "wrong")
    with pytest.raises(InputException):
        client._post("api.token", params={"api_key": sessions.api_key})


def test_instrument_dump_is_what_our_own_parser_accepts(exchange: Exchange) -> None:
    client = exchange.client()
    everything = client.instruments()
    assert {row["segment"] for row in everything} == {"NSE", "INDICES"}
    assert client.instruments("NSE") == everything
    assert client.instruments("BSE") == []
    with urllib.request.urlopen(f"{exchange.root}/instruments") as answer:
        assert answer.headers["Content-Type"].startswith("text/csv")
        dump = parse_dump(answer.read().decode(), date(2026, 8, 20))
    assert (len(dump.instruments), dump.findings) == (len(everything), ())


def test_page_and_status_for_people(exchange: Exchange) -> None:
    with urllib.request.urlopen(exchange.root) as answer:
        assert b"Alpha Panda sandbox exchange" in answer.read()
    with urllib.request.urlopen(f"{exchange.root}/sandbox/status") as answer:
        assert json.loads(answer.read())["instruments"] == 7


class Client:
    """A real KiteTicker that collects what it gets."""

    def __init__(self, exchange: Exchange, access_token: str) -> None:
        start_reactor()
        self.ticks: list[dict[str, Any]] = []
        self.frames: list[bytes] = []
        self.errors: list[str] = []
        self.opened = 0
        self.ticker = KiteTicker(exchange.sandbox.sessions.api_key, access_token, root=exchange.ws_root)
        self.ticker.on_ticks = lambda _, ticks: self.ticks.extend(ticks)
        self.ticker.on_message = lambda _, payload, binary: self.frames.append(payload)
        self.ticker.on_error = lambda _, code, reason: self.errors.append(f"{code} {reason}")
        self.ticker.on_open = self._note
        reactor.callFromThread(self.ticker.connect, threaded=True)

    def _note(self, _: Any) -> None:
        self.opened += 1

    def ask(self, work: Any, *arguments: Any) -> None:
        reactor.callFromThread(work, *arguments)

    def close(self) -> None:
        reactor.callFromThread(self.ticker.close)


@pytest.fixture
def client(exchange: Exchange) -> Iterator[Client]:
    running = Client(exchange, exchange.client().access_token)
    wait_for(lambda: running.opened, "the connection")
    yield running
    running.close()
    wait_for(lambda: not exchange.connections(), "the end of the connection")


def test_modes_of_the_stream(exchange: Exchange, client: Client) -> None:
    rows = exchange.rows()
    index = next(row["instrument_token"] for row in rows if row["segment"] == "INDICES")
    equities = [row["instrument_token"] for row in rows if row["segment"] == "NSE"]
    ltp, quote, full = equities[:3]
    client.ask(client.ticker.subscribe, [ltp, quote, full, index])
    client.ask(client.ticker.set_mode, "ltp", [ltp])
    client.ask(client.ticker.set_mode, "full", [full, index])

    def seen() -> bool:
        modes = {(tick["instrument_token"], tick["mode"]) for tick in client.ticks}
        return {(ltp, "ltp"), (quote, "quote"), (full, "full"), (index, "full")} <= modes

    wait_for(seen, "ticks in every mode", 20)
    best = next(tick for tick in client.ticks if tick["instrument_token"] == full and tick["mode"] == "full")
    assert len(best["depth"]["buy"]) == len(best["depth"]["sell"]) == 5
    assert best["depth"]["buy"][0]["price"] < best["depth"]["sell"][0]["price"]
    assert best["ohlc"]["low"] <= best["last_price"] <= best["ohlc"]["high"]
    assert best["tradable"]
    assert not next(tick for tick in client.ticks if tick["instrument_token"] == index)["tradable"]
    client.ask(client.ticker.unsubscribe, [ltp, quote, full, index])
    wait_for(lambda: client.frames[-1:] == [b"\x00"], "a heartbeat after unsubscribing", 10)


def test_new_subscriber_gets_the_last_tick_at_once(exchange: Exchange, client: Client) -> None:
    tokens = [row["instrument_token"] for row in exchange.rows() if row["segment"] == "NSE"]
    client.ask(client.ticker.subscribe, tokens)
    wait_for(lambda: {tick["instrument_token"] for tick in client.ticks} == set(tokens), "a tick of each", 10)


def test_reconnected_client_is_subscribed_again_by_the_library(exchange: Exchange, client: Client) -> None:
    token = exchange.rows()[-1]["instrument_token"]
    client.ask(client.ticker.subscribe, [token])
    client.ask(client.ticker.set_mode, "full", [token])
    wait_for(lambda: client.ticks, "a tick")
    exchange.drop_all()
    wait_for(lambda: client.opened == 2, "the reconnect", 20)
    client.ticks.clear()
    wait_for(lambda: [tick for tick in client.ticks if tick["mode"] == "full"], "a tick after the reconnect", 20)


def test_wrong_token_is_answered_with_403(exchange: Exchange) -> None:
    running = Client(exchange, "wrong")
    wait_for(lambda: any("403" in one for one in running.errors), "the refusal")
    reactor.callFromThread(running.ticker.stop_retry)


def test_same_seed_gives_the_same_ticks_whatever_the_speed() -> None:
    def ticks(seed: int) -> list[Any]:
        batches = synthetic(seed=seed).batches()
        return [tick for _ in range(200) for tick in next(batches).ticks]

    assert ticks(3) == ticks(3)
    assert ticks(3) != ticks(4)
