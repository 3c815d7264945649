"""`alpha-panda sandbox` as a process: its first line, its errors, its end, and clients that do not behave."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import DataException

from sandbox.sessions import MOST_CONNECTIONS
from tests.running_stack import wait_for

COMMAND = [sys.executable, "-m", "faust_app.commands.cli", "sandbox"]
BEHIND = 40_000  # ticks that no socket buffer of the system holds, and the exchange does
BAR = "ACC,2016-08-16 09:15:00, 10.0, 11.0, 9.0, 10.5, 100"


class Process:
    """A sandbox of its own on a free port."""

    def __init__(self, *arguments: str) -> None:
        self.child = subprocess.Popen(
            [*COMMAND, "--port", "0", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.child.stdout is not None
        self.first: dict[str, str] = json.loads(self.child.stdout.readline() or "{}")
        self.root = self.first.get("root", "")
        self.port = int(self.root.rpartition(":")[2] or 0)
        self.sockets: list[socket.socket] = []

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.root}/sandbox/status", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.root}{path}", timeout=10) as answer:
            text: str = answer.read().decode()
        return text

    def login(self) -> KiteConnect:
        client = KiteConnect(self.first["api_key"], root=self.root)
        client.generate_session(self.first["request_token"], self.first["api_secret"])
        return client

    def stream(self, access_token: str) -> tuple[socket.socket, int]:
        """A WebSocket by hand, which reads nothing by itself; the status of the upgrade."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        self.sockets.append(connection)
        key = base64.b64encode(os.urandom(16)).decode()
        query = urllib.parse.urlencode({"api_key": self.first["api_key"], "access_token": access_token})
        connection.sendall(
            f"GET /?{query} HTTP/1.1\r\nHost: sandbox\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        return connection, int(head.split()[1])

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Exit code and what it wrote to standard error."""
        if self.child.poll() is None:
            self.child.send_signal(number)
        try:
            _, errors = self.child.communicate(timeout=30)
        finally:
            self.release()
        return self.child.returncode, errors

    def release(self) -> None:
        """Nothing stays behind, whatever the test found."""
        if self.child.poll() is None:
            self.child.kill()
            self.child.communicate()
        for connection in self.sockets:
            connection.close()


def say(connection: socket.socket, message: object) -> None:
    """A masked text frame."""
    data = json.dumps(message).encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    connection.sendall(b"\x81" + size + bytes(4) + data)


def read_to_the_end(connection: socket.socket) -> None:
    while connection.recv(100):
        pass


def subscribe_to_all(process: Process, connection: socket.socket) -> None:
    with urllib.request.urlopen(f"{process.root}/instruments") as answer:
        rows = answer.read().decode().splitlines()[1:]
    say(connection, {"a": "mode", "v": ["full", [int(row.split(",")[0]) for row in rows]]})


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    running = Process("--symbols", "3")
    yield running
    running.release()


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Starts sandboxes that end with the test."""
    started: list[Process] = []

    def one_more(*arguments: str) -> Process:
        started.append(Process(*arguments))
        return started[-1]

    yield one_more
    for one in started:
        one.release()


def test_first_line_tells_a_client_all_it_needs(process: Process, start: Callable[..., Process]) -> None:
    assert set(process.first) == {"root", "ws_root", "api_key", "api_secret", "request_token"}
    assert process.first["ws_root"] == process.root.replace("http://", "ws://")
    other = start("--symbols", "3")
    other.end()
    secret = ("api_key", "api_secret", "request_token")
    assert not {process.first[name] for name in secret} & {other.first[name] for name in secret}


def ask(process: Process, path: str, **fields: str) -> tuple[int, dict[str, Any]]:
    data = urllib.parse.urlencode(fields).encode()
    try:
        with urllib.request.urlopen(f"{process.root}{path}", data, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.mark.parametrize("secret", ["wrong", "falsch-é"])
def test_request_token_needs_the_secret_and_refusals_have_kites_body(process: Process, secret: str) -> None:
    status, body = ask(process, "/sandbox/request_token", api_key=process.first["api_key"], api_secret=secret)
    assert (status, set(body)) == (403, {"status", "message", "data", "error_type"})
    assert (body["status"], body["data"], body["error_type"]) == ("error", None, "TokenException")
    status, body = ask(process, "/session/token", api_key=process.first["api_key"], request_token="x", checksum=secret)
    assert (status, body["error_type"]) == (403, "TokenException")


def test_whoever_knows_the_secret_gets_another_request_token(process: Process) -> None:
    key, secret = process.first["api_key"], process.first["api_secret"]
    status, body = ask(process, "/sandbox/request_token", api_key=key, api_secret=secret)
    assert status == 200
    client = KiteConnect(key, root=process.root)
    assert client.generate_session(body["data"]["request_token"], secret)["access_token"]


@pytest.mark.parametrize("path", ["/nothing", "/session/nothing"])
def test_unknown_route_has_kites_error_body(process: Process, path: str) -> None:
    status, body = ask(process, path, a="1")
    assert (status, body["status"], body["error_type"]) == (404, "error", "GeneralException")


def test_more_connections_than_allowed_are_refused(start: Callable[..., Process]) -> None:
    running = start("--symbols", "1")
    token = running.login().access_token
    statuses = [running.stream(token)[1] for _ in range(MOST_CONNECTIONS + 1)]
    assert statuses == [101] * MOST_CONNECTIONS + [429]
    running.sockets[0].close()
    wait_for(lambda: running.status()["connections"] < MOST_CONNECTIONS, "the end of a connection", 10)
    assert running.stream(token)[1] == 101
    assert running.end()[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_cleanly(start: Callable[..., Process], number: int) -> None:
    assert start("--symbols", "1").end(number) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--autostart", "--symbols", "500", "--rate", "100000", "--speed", "1000"],
        ["--autostart", "--symbols", "500", "--rate", "2000", "--from", "15:00"],
    ],
    ids=["market faster than the machine", "long way to the beginning"],
)
def test_busy_exchange_answers_and_ends(start: Callable[..., Process], arguments: list[str]) -> None:
    running = start(*arguments)
    assert running.status()["stage"] == "open"
    assert running.end() == (0, "")


def test_client_that_does_not_read_holds_up_neither_the_market_nor_the_end(start: Callable[..., Process]) -> None:
    running = start("--symbols", "500", "--rate", "20000")
    token = running.login().access_token
    for _ in range(2):
        connection, status = running.stream(token)
        assert status == 101
        subscribe_to_all(running, connection)
    reader = running.sockets[1]
    reader.settimeout(10)

    def frozen_is_dropped() -> bool:
        assert reader.recv(1 << 20)
        return int(running.status()["connections"]) == 1

    wait_for(frozen_is_dropped, "the end of the connection that is not read", 60)
    before = running.status()["ticks_sent"]
    reader.recv(1 << 20)
    wait_for(lambda: reader.recv(1 << 20) and running.status()["ticks_sent"] > before, "more ticks", 10)
    behind = running.status()["ticks_sent"] + BEHIND
    wait_for(lambda: running.status()["ticks_sent"] > behind, "a socket that is full", 30)
    assert running.end() == (0, "")


def refused(*arguments: str) -> str:
    """The one sentence of a refusal."""
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


def test_taken_port_is_one_sentence(process: Process) -> None:
    assert f"Port {process.port} on 127.0.0.1 is not free" in refused("--port", str(process.port))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--session-date", "tomorrow"], "--session-date 'tomorrow' is not a date like 2026-11-20"),
        (["--from", "noon"], "'noon' is not a time like 10:30"),
        (["--replay", "nowhere"], "nowhere: not a .csv or .csv.gz file"),
        (["--symbols", "1", "--rate", "1001"], "--rate 1001 over 1 symbols is more than 1000 ticks a second of each"),
        (["--symbols", "9001"], "'--symbols': Input should be less than or equal to 9000"),
        (["--speed", "1001"], "'--speed': Input should be less than or equal to 1000"),
    ],
)
def test_wrong_input_is_one_sentence(arguments: list[str], sentence: str) -> None:
    assert sentence in refused("--port", "0", *arguments)


def test_scenario_is_played(tmp_path: Path, start: Callable[..., Process]) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(
        "rules: {opening_cash: 1234.5}\nfaults: [{kind: bad_gateway, endpoints: [GET /orders], count: 1}]\n"
    )
    running = start("--symbols", "1", "--scenario", str(file))
    client = running.login()
    assert client.margins("equity")["net"] == 1234.5
    with pytest.raises(DataException, match="502 Bad Gateway"):
        client.orders()
    assert client.orders() == []
    assert running.end() == (0, "")


def test_connection_faults_work_on_the_loop_of_the_process(tmp_path: Path, start: Callable[..., Process]) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(
        "faults:\n"
        "- {kind: reset, endpoints: [GET /orders], count: 1}\n"
        "- {kind: no_answer, endpoints: [GET /trades], count: 1}\n"
        "- {kind: frozen_socket, count: 1}\n"
    )
    running = start("--symbols", "1", "--scenario", str(file))
    client = running.login()
    with pytest.raises(requests.exceptions.ConnectionError, match="reset by peer"):
        client.orders()
    client.timeout = 0.5
    with pytest.raises(requests.exceptions.ReadTimeout):
        client.trades()
    connection, _ = running.stream(client.access_token)
    wait_for(lambda: json.loads(running.get("/sandbox/faults"))["data"][2]["hits"], "the freeze")
    connection.settimeout(1.5)
    with pytest.raises(TimeoutError):  # not even a heartbeat
        read_to_the_end(connection)
    assert running.end() == (0, "")


def test_bad_scenario_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text("faults: [{kind: earthquake}]\n")
    assert f"{file}: faults.0.kind: Input should be" in refused("--port", "0", "--scenario", str(file))
    file.write_text("account: {holdings: [{instrument: 'NSE:X', quantity: 1, average_price: 1}]}\n")
    assert refused("--port", "0", "--scenario", str(file)).endswith("account: NSE:X is not traded here")
    assert "nowhere.yaml: No such file" in refused("--port", "0", "--scenario", "nowhere.yaml")


def test_malformed_row_is_named_by_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "ACC.csv"
    file.write_text(f"Code,Date,Open,High,Low,Close,Volume\n{BAR}\n{BAR.replace('10.5', 'ten')}\n")
    assert f"{file} line 3: 'ten' is not a price" in refused("--port", "0", "--replay", str(file))
