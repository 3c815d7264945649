"""Seeded garbage: bytes, JSON and packets that were real once, and some that never were."""

from __future__ import annotations

import copy
import io
import json
import socketserver
import struct
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from kiteconnect import KiteConnect
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, -(10**18), 10**40, 0.1, -0.0, 1e308, "", " ", "NaN", "sNaN",
    "Infinity", "1e999999", "1e-400", "-5", "0x10", "\u0000", "\ud800", "कीमत", "x" * 300, "x" * 12_000, [], {},
    [[]], {"a": 1}, [None] * 3, "2026-08-20 09:15:00", "9999-12-31 23:59:59", "0001-01-01 00:00:00",
    "COMPLETE", "CANCELLED", "REJECTED", "UPDATE", "OPEN", "Order request timed out",
)  # fmt: skip
RAW_BITS = (
    b"", b"\x00", b"\xff\xfe", b"{", b"}", b"[", b"]", b'"', b",", b":", b"NaN", b"-Infinity", b"1e999", b"null",
)  # fmt: skip
STATUSES = (
    *(200,) * 40, 201, 204, 206, 301, 302, 307, 308, 400, 400, 400, 403, 403, 404, 405, 410, 429, 500, 502, 503, 504,
)  # fmt: skip
CONTENT_TYPES = (
    *("application/json",) * 25, "application/json; charset=utf-8", "text/html", "text/csv", "text/plain", "", None,
)  # fmt: skip
ERROR_TYPES = (
    "TokenException", "PermissionException", "OrderException", "InputException", "DataException", "NetworkException",
    "UserException", "MarginException", "HoldingException", "Nobody", 5, None,
)  # fmt: skip
NESTED = 30_000


def places(tree: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON tree, below its top."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [*([above] if above else []), *(path for key, value in items for path in places(value, (*above, key)))]


def _holder(tree: Any, path: tuple[Any, ...]) -> Any:
    for part in path[:-1]:
        tree = tree[part]
    return tree


class Garbage:
    """Variations on samples. The same seed gives the same."""

    def __init__(self, rng: Random, samples: Sequence[Any]) -> None:
        self._rng = rng
        self._samples = [(sample, places(sample)) for sample in samples]

    def tree(self) -> Any:
        """A sample in which a few values are others, missing, or somewhere else."""
        rng = self._rng
        sample, paths = rng.choice(self._samples)
        found = copy.deepcopy(sample)
        for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 3, 6))):
            if not paths:
                break
            path = rng.choice(paths)
            try:
                holder = _holder(found, path)
                self._change(holder, path[-1], found)
            except (KeyError, IndexError, TypeError):
                continue  # an earlier change has taken the place away
        return found

    def _change(self, holder: Any, key: Any, whole: Any) -> None:
        rng = self._rng
        match rng.randrange(6):
            case 0:
                del holder[key]
            case 1:
                holder[key] = [holder[key]]
            case 2 if isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
                holder[key] = holder[key] * rng.choice((-1, 0, 0.5, 2, 10**9, 10**20))
            case 3:
                holder[key] = str(holder[key])
            case 4 if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            case _:
                holder[key] = copy.deepcopy(rng.choice(STRANGE))

    def json(self) -> bytes:
        """A tree's text, sometimes damaged as text."""
        raw = json.dumps(self.tree()).encode(errors="surrogatepass")
        return self.damaged(raw) if self._rng.random() < 0.3 else raw

    def damaged(self, raw: bytes) -> bytes:
        """Bytes cut, changed, repeated, nested or replaced."""
        rng = self._rng
        at, to = sorted((rng.randint(0, len(raw)), rng.randint(0, len(raw))))
        match rng.randrange(7):
            case 0:
                return raw[:at]
            case 1:
                return raw[:at] + rng.randbytes(rng.randint(1, 8)) + raw[at:]
            case 2:
                return raw[:at] + raw[to:]
            case 3:
                return raw[:to] + raw[at:to] + raw[to:]
            case 4:
                return raw[:at] + rng.choice(RAW_BITS) + raw[at + 1 :]
            case 5 if rng.random() < 0.2:
                return raw[:at] + rng.choice((b"[", b'{"a":')) * NESTED
            case _:
                return rng.randbytes(rng.randint(0, 200))


def packets(rng: Random, frame: bytes) -> bytes:
    """A binary frame: cut, with bits turned, with other lengths and counts, or never one."""
    match rng.randrange(7):
        case 0:
            return frame[: rng.randint(0, len(frame))]
        case 1:
            return rng.randbytes(rng.choice((0, 1, 2, 3, 10, 186, 400)))
        case 2:
            return struct.pack(">H", rng.choice((0, 1, 2, 65_535))) + frame[2:]
        case 3:
            bodies = [rng.randbytes(rng.choice((0, 1, 7, 8, 28, 32, 44, 184, 185))) for _ in range(rng.randint(1, 5))]
            return struct.pack(">H", len(bodies)) + b"".join(struct.pack(">H", len(one)) + one for one in bodies)
        case 4:
            return frame + rng.randbytes(rng.randint(1, 20))
        case _:
            changed = bytearray(frame)
            for _ in range(rng.randint(1, 6)):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            return bytes(changed)


def on_the_wire(rng: Random, body: bytes) -> bytes:
    """What a server, or something between, may write as an answer: right, lying about its length, or no HTTP."""
    length = rng.choice((len(body), len(body), len(body) + 10, max(0, len(body) - 5), -1, 10**18, "many"))
    lines = [
        rng.choice((b"HTTP/1.1 200 OK", b"HTTP/1.1 200", b"HTTP/1.0 502 Bad", b"HTTP/9.9 200 OK", b"SSH-2.0", b"")),
        b"Content-Type: application/json",
        f"Content-Length: {length}".encode(),
        rng.choice(
            (b"X: y", b"Transfer-Encoding: chunked", b"Content-Encoding: gzip", b"Set-Cookie: \xff", b": ", b"X")
        ),
    ]
    if rng.random() < 0.1:
        rng.shuffle(lines)
    whole = b"\r\n".join(lines) + b"\r\n\r\n" + body
    return whole[: rng.randint(0, len(whole))] if rng.random() < 0.2 else whole


class Wire(socketserver.ThreadingTCPServer):
    """A server on the loopback that answers each connection with the next of `answers`, and closes it."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, answers: Iterator[bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _WireHandler)
        self.answers = answers
        self.last = b""


class _WireHandler(socketserver.BaseRequestHandler):
    server: Wire

    def handle(self) -> None:
        self.request.recv(65_536)
        self.server.last = next(self.server.answers)
        self.request.sendall(self.server.last)


class Canned(HTTPAdapter):
    """Answers of a server that may say anything, given to the real client without a wire.

    `answers` are real ones by the path that was asked; the one of the empty path is that of every write.
    """

    def __init__(self, rng: Random, answers: Mapping[str, Any]) -> None:
        super().__init__()
        self._rng = rng
        self._fitting = {path: Garbage(rng, [sample]) for path, sample in answers.items()}
        self._any = Garbage(rng, list(answers.values()))
        self.status = 0
        self.sent = b""

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:  # type: ignore[override]
        """The next answer."""
        rng = self._rng
        self.status = rng.choice(STATUSES)
        is_failure = self.status >= 300 and rng.random() < 0.7
        self.sent = self._failure() if is_failure else self._body(request)
        headers = {"Location": f"{request.url}/elsewhere"} if 300 <= self.status < 400 else {}
        kind = rng.choice(CONTENT_TYPES)
        if kind is not None:
            headers["Content-Type"] = kind
        raw = HTTPResponse(io.BytesIO(self.sent), headers, self.status, preload_content=False)
        return self.build_response(request, raw)

    def _body(self, request: PreparedRequest) -> bytes:
        path = "" if request.method != "GET" else str(request.path_url)
        fitting = self._fitting.get(path, self._any)
        return (fitting if self._rng.random() < 0.8 else self._any).json()

    def _failure(self) -> bytes:
        rng = self._rng
        told = {
            "status": "error",
            "message": rng.choice(("No", "Order request timed out. Please check.", "", None, 7, "x" * 5_000)),
            "error_type": rng.choice(ERROR_TYPES),
            "data": None,
        }
        for name in list(told):
            if rng.random() < 0.1:
                del told[name]
        return json.dumps(told).encode()


def client_of(adapter: HTTPAdapter) -> type[KiteConnect]:
    """The real client, whose every call goes to `adapter`."""

    class Client(KiteConnect):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.reqsession.mount("http://", adapter)

    return Client
