"""The client's calls: from which address they leave, what a greeting tells, and that a closed client makes none."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise

import pytest

from brokers.answers import RefusalKind, Refused, Taken, Unknown
from brokers.errors import BrokerFailure, SessionRefused
from brokers.zerodha.client import READ_SECONDS, Endpoint, Greeting, ZerodhaClient
from brokers.zerodha.egress import KITE, host_of, local_address
from brokers.zerodha.mapping import order_fields
from tests.factories import order

ORDER = order_fields(order())
NOT_HERE = "192.0.2.1"  # of no machine: RFC 5737


class Server(HTTPServer):
    """Answers every call, and remembers where it came from."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.callers: list[str] = []
        self.calls: list[tuple[float, str]] = []
        self.status, self.body = 200, b'{"status": "success", "data": {"order_id": "1", "user_id": "AB1234"}}'

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def _answer(self) -> None:
        self.server.callers.append(self.client_address[0])
        self.server.calls.append((time.monotonic(), self.command))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def client(server: Server, request: pytest.FixtureRequest) -> Iterator[ZerodhaClient]:
    found = ZerodhaClient(
        Endpoint(server.root, "key", lambda: "token", timeout_seconds=2, bind_address=getattr(request, "param", ""))
    )
    yield found
    found.close()


@pytest.mark.parametrize("client", ["127.0.0.2"], indirect=True)
async def test_every_call_leaves_from_the_address_it_is_bound_to(server: Server, client: ZerodhaClient) -> None:
    assert await client.place("regular", ORDER) == Taken("1")
    assert await client.cancel("regular", "1") == Taken("1")
    await client.greet()
    assert server.callers == ["127.0.0.2"] * 3


@pytest.mark.parametrize("client", [NOT_HERE, "::1"], indirect=True)
async def test_no_call_leaves_when_it_cannot_leave_from_there(server: Server, client: ZerodhaClient) -> None:
    answer = await client.place("regular", ORDER)
    assert isinstance(answer, Refused)
    assert answer.kind is RefusalKind.UNREACHED
    assert server.callers == []


async def test_without_an_address_the_system_chooses(server: Server, client: ZerodhaClient) -> None:
    assert await client.place("regular", ORDER) == Taken("1")
    assert server.callers == [local_address(server.root, "")[0]]


def test_the_local_address_is_found_without_a_call(server: Server) -> None:
    assert local_address(server.root, "") == ("127.0.0.1", "127.0.0.1")
    assert local_address(server.root, "127.0.0.2") == ("127.0.0.2", "127.0.0.1")
    assert server.callers == []


@pytest.mark.parametrize("bound", [NOT_HERE, "::1"])
def test_no_way_from_an_address_that_is_not_here(server: Server, bound: str) -> None:
    with pytest.raises(BrokerFailure, match=f"There is no way to 127.0.0.1 from {bound}"):
        local_address(server.root, bound)


def test_a_name_nobody_knows_is_said() -> None:
    with pytest.raises(BrokerFailure, match=r"The name nowhere\.invalid cannot be resolved"):
        local_address("https://nowhere.invalid", "")


def test_kites_own_root_is_the_default() -> None:
    assert host_of(None) == host_of(KITE) == "api.kite.trade"
    assert host_of("http://127.0.0.1:18000") == "127.0.0.1"


async def test_a_greeting_has_the_user_and_the_servers_clock_between_ours(client: ZerodhaClient) -> None:
    found = await client.greet()
    assert found.user == {"order_id": "1", "user_id": "AB1234"}
    theirs = parsedate_to_datetime(found.date).timestamp()
    assert found.asked_at - 1 < theirs <= found.answered_at


async def greeted(server: Server, client: ZerodhaClient, status: int, body: bytes) -> Greeting:
    server.status, server.body = status, body
    return await client.greet()


async def test_a_refusal_has_the_servers_clock_too(server: Server, client: ZerodhaClient) -> None:
    body = b'{"status": "error", "error_type": "TokenException", "message": "Incorrect token."}'
    found = await greeted(server, client, 403, body)
    assert isinstance(found.user, SessionRefused)
    assert "Incorrect token." in str(found.user)
    assert found.date


@pytest.mark.parametrize(
    ("status", "body"), [(503, b"{}"), (200, b'{"status": "success", "data": []}'), (200, b"{}"), (200, b"no JSON")]
)
async def test_an_answer_that_names_nobody_is_a_failure(
    server: Server, client: ZerodhaClient, status: int, body: bytes
) -> None:
    found = await greeted(server, client, status, body)
    assert isinstance(found.user, BrokerFailure)
    assert not isinstance(found.user, SessionRefused)
    assert found.date


async def test_no_answer_has_no_date(server: Server, client: ZerodhaClient) -> None:
    await client.greet()
    server.shutdown()
    server.server_close()
    found = await client.greet()
    assert isinstance(found.user, BrokerFailure)
    assert found.date == ""


async def test_a_closed_client_calls_nobody_and_says_so(server: Server, client: ZerodhaClient) -> None:
    client.close()
    with pytest.raises(BrokerFailure):
        await client.orders()
    assert isinstance(await client.place("regular", ORDER), Unknown)
    assert server.callers == []


async def test_reads_are_spread_and_writes_wait_for_none(server: Server, client: ZerodhaClient) -> None:
    server.body = b'{"status": "success", "data": []}'
    reading = [asyncio.create_task(client.orders()) for _ in range(4)]
    await asyncio.sleep(0)  # they have their turns
    await client.cancel("regular", "1")
    await asyncio.gather(*reading)
    reads = [at for at, method in server.calls if method == "GET"]
    assert min(later - earlier for earlier, later in pairwise(reads)) > READ_SECONDS / 2
    assert [method for _, method in server.calls].index("DELETE") <= 1


Heard = list[tuple[str, float, str]]


@pytest.fixture
def heard(server: Server) -> Iterator[tuple[ZerodhaClient, Heard]]:
    calls: Heard = []
    endpoint = Endpoint(server.root, "key", lambda: "token", timeout_seconds=2, heard=lambda *call: calls.append(call))
    found = ZerodhaClient(endpoint)
    yield found, calls
    found.close()


async def test_each_call_is_told_with_its_route_and_without_numbers(heard: tuple[ZerodhaClient, Heard]) -> None:
    client, calls = heard
    await client.place("regular", ORDER)
    await client.cancel("regular", "151220000000000")
    with pytest.raises(BrokerFailure):
        await client.orders()  # the answer is no list
    assert [route for route, _, _ in calls] == ["POST orders", "DELETE orders", "GET orders"]
    assert {error for _, _, error in calls} == {""}
    assert all(0 < seconds < 2 for _, seconds, _ in calls)


async def test_a_refused_call_and_one_without_an_answer_are_told_as_failed(
    server: Server, heard: tuple[ZerodhaClient, Heard]
) -> None:
    client, calls = heard
    server.status, server.body = 400, b'{"status": "error", "error_type": "InputException", "message": "no"}'
    await client.place("regular", ORDER)
    away = ZerodhaClient(Endpoint("http://127.0.0.1:1", "key", lambda: "token", heard=lambda *call: calls.append(call)))
    await away.place("regular", ORDER)
    away.close()
    assert [(route, error) for route, _, error in calls] == [
        ("POST orders", "InputException"),
        ("unanswered", "ConnectionError"),
    ]
