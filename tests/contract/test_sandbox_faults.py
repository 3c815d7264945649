"""Every fault of calls and order updates, as the unmodified client sees it."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from kiteconnect import KiteConnect, KiteTicker
from kiteconnect.exceptions import DataException, GeneralException, InputException, NetworkException, TokenException
from twisted.internet import reactor

from brokers.zerodha.ticker import start_reactor
from sandbox.rules import CallLimits, Rules
from sandbox.scenario import Scenario
from tests.contract.test_sandbox_orders import INFY, KEY, place, statuses
from tests.exchange import Exchange, synthetic
from tests.running_stack import wait_for

SHORT = 0.5  # seconds the client waits for an answer that does not come


@pytest.fixture(scope="module")
def running() -> Iterator[Exchange]:
    found = Exchange(synthetic(), scenario=Scenario(rules=Rules(limits=CallLimits(enabled=False), session_hours=False)))
    yield found
    found.stop()


@pytest.fixture
def exchange(running: Exchange) -> Iterator[Exchange]:
    running.tick(KEY, 1000)
    yield running
    running.ask("DELETE", "/faults")
    for order in running.sandbox.broker.book.working:
        running.ask("DELETE", f"/orders/{order.order_id}")


@pytest.fixture
def client(exchange: Exchange) -> KiteConnect:
    return exchange.client()


def tagged(client: KiteConnect, tag: str) -> list[dict[str, Any]]:
    return [one for one in client.orders() if one["tag"] == tag]


def accepted_then_never_answered(exchange: Exchange, client: KiteConnect) -> None:
    exchange.fault("no_answer", count=1)
    client.timeout = SHORT
    with pytest.raises(requests.exceptions.ReadTimeout):
        place(client, tag="fault")


def reset_after_accepting(exchange: Exchange, client: KiteConnect) -> None:
    exchange.fault("reset", count=1)
    with pytest.raises(requests.exceptions.ConnectionError, match="reset by peer"):
        place(client, tag="fault")


def html_after_accepting(exchange: Exchange, client: KiteConnect) -> None:
    exchange.fault("bad_gateway", count=1, accepted=True)
    with pytest.raises(DataException, match="502 Bad Gateway") as error:
        place(client, tag="fault")
    assert error.value.code == 502


def empty_body(exchange: Exchange, client: KiteConnect) -> None:
    exchange.fault("empty_body", count=1)
    with pytest.raises(DataException, match="Couldn't parse"):
        place(client, tag="fault")


def empty_object(exchange: Exchange, client: KiteConnect) -> None:
    exchange.fault("empty_object", count=1)
    with pytest.raises(KeyError, match="data"):
        place(client, tag="fault")


def no_content_type(exchange: Exchange, client: KiteConnect) -> None:
    exchange.fault("no_content_type", count=1)
    with pytest.raises(KeyError, match="content-type"):
        place(client, tag="fault")


def server_error_after_accepting(exchange: Exchange, client: KiteConnect) -> None:
    exchange.fault("server_error", count=1, accepted=True, status=503)
    with pytest.raises(NetworkException) as error:
        place(client, tag="fault")
    assert error.value.code == 503


def slow(exchange: Exchange, client: KiteConnect) -> None:
    exchange.fault("slow", count=1, seconds=30)
    client.timeout = SHORT
    with pytest.raises(requests.exceptions.ReadTimeout):
        place(client, tag="fault")


def timeout_before_acceptance(exchange: Exchange, client: KiteConnect) -> None:
    exchange.fault("no_answer", count=1, accepted=False)
    client.timeout = SHORT
    with pytest.raises(requests.exceptions.ReadTimeout):
        place(client, tag="fault")


def reset_before_acceptance(exchange: Exchange, client: KiteConnect) -> None:
    exchange.fault("reset", count=1, accepted=False)
    with pytest.raises(requests.exceptions.ConnectionError):
        place(client, tag="fault")


def burst(exchange: Exchange, client: KiteConnect) -> None:
    exchange.fault("too_many_requests", count=3)
    for _ in range(3):
        with pytest.raises(NetworkException, match="Too many requests") as error:
            place(client, tag="fault")
        assert error.value.code == 429


def server_error(exchange: Exchange, client: KiteConnect) -> None:
    exchange.fault("server_error", count=1)
    with pytest.raises(GeneralException) as error:
        place(client, tag="fault")
    assert error.value.code == 500


def html(exchange: Exchange, client: KiteConnect) -> None:
    exchange.fault("bad_gateway", count=1)
    with pytest.raises(DataException):
        place(client, tag="fault")


Scene = Callable[[Exchange, KiteConnect], None]
ACCEPTED: list[Scene] = [
    accepted_then_never_answered, reset_after_accepting, html_after_accepting, empty_body, empty_object,
    no_content_type, server_error_after_accepting, slow,
]  # fmt: skip
NOT_ACCEPTED: list[Scene] = [timeout_before_acceptance, reset_before_acceptance, burst, server_error, html]


@pytest.mark.parametrize("scene", ACCEPTED)
def test_order_exists_although_its_call_failed(exchange: Exchange, client: KiteConnect, scene: Scene) -> None:
    before = len(tagged(client, "fault"))
    scene(exchange, client)
    client.timeout = 7
    assert len(tagged(client, "fault")) == before + 1
    call = exchange.ask("GET", "/calls?tag=fault")[-1]
    assert call["faults"]
    assert place(client)  # the fault is spent


@pytest.mark.parametrize("scene", NOT_ACCEPTED)
def test_order_does_not_exist_when_its_call_failed_before(
    exchange: Exchange, client: KiteConnect, scene: Scene
) -> None:
    before, calls = len(tagged(client, "fault")), len(exchange.ask("GET", "/calls?tag=fault"))
    scene(exchange, client)
    client.timeout = 7
    assert len(tagged(client, "fault")) == before
    assert len(exchange.ask("GET", "/calls?tag=fault")) > calls
    assert place(client)


def test_timed_out_order_was_accepted_and_fills_later(exchange: Exchange, client: KiteConnect) -> None:
    exchange.fault("timed_out", count=1)
    with pytest.raises(InputException, match=r"^Order request timed out\. Please check the order book") as error:
        place(client, price=1001, tag="late")
    assert error.value.code == 400
    (order,) = tagged(client, "late")
    assert order["status"] == "PUT ORDER REQ RECEIVED"
    exchange.ask("POST", "/clock", {"seconds": 7.9})
    assert statuses(client, order["order_id"]) == ["PUT ORDER REQ RECEIVED"]
    exchange.ask("POST", "/clock", {"seconds": 0.1})
    assert statuses(client, order["order_id"])[-1] == "COMPLETE"


def test_timed_out_call_that_would_be_refused_is_refused(exchange: Exchange, client: KiteConnect) -> None:
    exchange.fault("timed_out", count=1)
    with pytest.raises(InputException, match="Tick size"):
        place(client, price=1000.001)


def test_faults_strike_the_chosen_endpoints_and_instruments_only(exchange: Exchange, client: KiteConnect) -> None:
    exchange.fault("bad_gateway", endpoints=["GET /orders", "DELETE /orders/*"])
    order_id = place(client)
    for call in (client.orders, lambda: client.cancel_order("regular", order_id)):
        with pytest.raises(DataException):
            call()
    assert statuses(client, order_id)[-1] == "OPEN"
    exchange.ask("DELETE", "/faults")
    exchange.fault("bad_gateway", instruments=["NSE:AXISBANK"])
    assert place(client)
    with pytest.raises(DataException):
        place(client, tradingsymbol="AXISBANK", price=100)


def test_second_login_elsewhere_ends_the_session(exchange: Exchange, client: KiteConnect) -> None:
    exchange.fault("second_login", after=1, count=1)
    place(client)
    with pytest.raises(TokenException):
        place(client)


def test_faults_are_managed_by_the_operator(exchange: Exchange) -> None:
    number = exchange.fault("slow", count=2)
    (body,) = exchange.ask("GET", "/faults")
    assert (body["id"], body["kind"], body["hits"], body["count"]) == (number, "slow", 0, 2)
    assert exchange.ask("DELETE", f"/faults/{number}") == {"removed": 1}
    for method, path, given in (
        ("DELETE", f"/faults/{number}", None),
        ("DELETE", "/faults/x", None),
        ("POST", "/faults", {"kind": "earthquake"}),
        ("POST", "/faults", [1]),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            exchange.ask(method, path, given)
        with refused.value as answer:
            assert json.load(answer)["status"] == "error"


def test_changed_dump_is_served_as_long_as_the_fault_is_on(exchange: Exchange, client: KiteConnect) -> None:
    before = client.instruments()
    number = exchange.fault("changed_dump", seed=1)
    after = client.instruments()
    assert {row["tradingsymbol"] for row in after} != {row["tradingsymbol"] for row in before}
    exchange.ask("DELETE", f"/faults/{number}")
    assert client.instruments() == before


class Listener:
    """A real KiteTicker, for its order updates."""

    def __init__(self, exchange: Exchange, access_token: str) -> None:
        start_reactor()
        self.updates: list[dict[str, Any]] = []
        self.opened = 0
        self.ticker = KiteTicker(exchange.sandbox.sessions.api_key, access_token, root=exchange.ws_root)
        self.ticker.on_order_update = lambda _, update: self.updates.append(update)
        self.ticker.on_open = self._note
        reactor.callFromThread(self.ticker.connect, threaded=True)

    def _note(self, _: Any) -> None:
        self.opened += 1

    @property
    def seen(self) -> list[tuple[str, int]]:
        return [(one["status"], one["filled_quantity"]) for one in self.updates]


@pytest.fixture
def listener(exchange: Exchange, client: KiteConnect) -> Iterator[Listener]:
    found = Listener(exchange, client.access_token)
    wait_for(lambda: found.opened, "the connection")
    yield found
    reactor.callFromThread(found.ticker.close)
    wait_for(lambda: not exchange.connections(), "the end of the connection")


def test_updates_reach_every_connection_for_orders_of_any_source(
    exchange: Exchange, client: KiteConnect, listener: Listener
) -> None:
    other = Listener(exchange, client.access_token)
    wait_for(lambda: other.opened, "the second connection")
    order_id = place(client, price=1001)
    body = {"exchange": "NSE", "tradingsymbol": INFY, "transaction_type": "SELL", "quantity": 3, "product": "MIS"}
    exchange.ask("POST", "/orders", body | {"order_type": "LIMIT", "price": 999})
    for one in (listener, other):
        wait_for(lambda one=one: len(one.updates) == 2, "both updates")
        assert one.seen == [("COMPLETE", 10), ("COMPLETE", 3)]
        assert (one.updates[0]["order_id"], one.updates[0]["checksum"]) == (order_id, "")
        assert isinstance(one.updates[0]["order_timestamp"], str)
    reactor.callFromThread(other.ticker.close)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("update_duplicated", [("UPDATE", 0), ("UPDATE", 0), ("COMPLETE", 10)]),
        ("update_lost", [("COMPLETE", 10)]),
        ("update_reordered", [("COMPLETE", 10), ("UPDATE", 0)]),
        ("update_after_complete", [("UPDATE", 0), ("COMPLETE", 10), ("UPDATE", 5)]),
    ],
)
def test_updates_suffer_their_faults(
    exchange: Exchange, client: KiteConnect, listener: Listener, kind: str, expected: list[tuple[str, int]]
) -> None:
    exchange.fault(kind, count=1)
    order_id = place(client)
    client.modify_order("regular", order_id, price=991)
    exchange.tick(KEY, 990)
    wait_for(lambda: len(listener.updates) >= len(expected), "the updates")
    assert listener.seen == expected


def test_update_may_come_before_the_answer(exchange: Exchange, client: KiteConnect, listener: Listener) -> None:
    exchange.fault("update_first", seconds=1, count=1)
    place(client, price=1001)
    assert listener.seen == [("COMPLETE", 10)]


def test_update_comes_although_the_answer_does_not(exchange: Exchange, client: KiteConnect, listener: Listener) -> None:
    exchange.fault("no_answer", count=1)
    client.timeout = SHORT
    with pytest.raises(requests.exceptions.ReadTimeout):
        place(client, price=1001)
    wait_for(lambda: listener.seen == [("COMPLETE", 10)], "the update")


def test_open_socket_outlives_the_session_and_the_next_is_refused(
    exchange: Exchange, client: KiteConnect, listener: Listener
) -> None:
    exchange.ask("POST", "/token/expire")
    body = {"exchange": "NSE", "tradingsymbol": INFY, "transaction_type": "BUY", "quantity": 1, "product": "MIS"}
    exchange.ask("POST", "/orders", body | {"order_type": "LIMIT", "price": 1001})
    wait_for(lambda: listener.seen == [("COMPLETE", 1)], "an update on the open socket")
    errors: list[str] = []
    late = KiteTicker(exchange.sandbox.sessions.api_key, client.access_token, root=exchange.ws_root)
    late.on_error = lambda _, code, reason: errors.append(str(reason))
    reactor.callFromThread(late.connect, threaded=True)
    wait_for(lambda: any("403" in one for one in errors), "the refusal")
    reactor.callFromThread(late.stop_retry)
