"""Where dumps come from: files as they are found in the wild, a server that does not want to."""

from __future__ import annotations

import gzip
import http.server
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from brokers.zerodha.session import Session, SessionStore, new_session_key
from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.instrument_dumps import dump_of_file, dump_of_server, has_session
from faust_app.runtime.settings import Settings
from tests.dumps import dump_text, row
from tests.unit.runtime.configurations import configured

TEXT = dump_text(row(name="NÄME"))
SECRET = "a-token-nobody-may-see"


@pytest.mark.parametrize(
    "raw",
    [TEXT.encode(), gzip.compress(TEXT.encode(), mtime=0), b"\xef\xbb\xbf" + TEXT.encode()],
    ids=["plain", "gzip", "bom"],
)
def test_a_file_is_read_plain_or_gzipped(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "dump"
    file.write_bytes(raw)
    found = dump_of_file(file)
    assert (found.text, found.source) == (TEXT, str(file))
    if raw == TEXT.encode():
        assert found.sha256 == sha256(raw).hexdigest()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (gzip.compress(TEXT.encode(), mtime=0)[:-12], "Compressed file ended"),
        (gzip.compress(TEXT.encode(), mtime=0)[:10] + b"garbage", "Cannot read"),
        (TEXT.encode("latin-1"), "is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path, raw: bytes, words: str) -> None:
    file = tmp_path / "dump"
    file.write_bytes(raw)
    with pytest.raises(ConfigurationError, match=words):
        dump_of_file(file)


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers as the path says: with a status, a content type and a body."""

    status, kind, body = 200, "text/csv", b""

    def do_GET(self) -> None:
        self.send_response(self.status)
        if self.kind:
            self.send_header("Content-Type", self.kind)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    running = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


def of_feed(root: str, tmp_path: Path) -> Settings:
    key, file = new_session_key(), tmp_path / "session"
    SessionStore(file, key).write(Session(SECRET, SECRET, "AB1234", int(time.time())))
    return configured(kite={"root": root, "api_key": SECRET, "session_file": file, "session_key": key})


REFUSAL = b'{"status": "error", "message": "Incorrect access_token a-token-nobody-may-see", "error_type": "%s"}'


@pytest.mark.parametrize(
    ("status", "kind", "body", "error", "words"),
    [
        (
            403,
            "application/json",
            REFUSAL % b"TokenException",
            ConfigurationError,
            "Run `alpha-panda login`",
        ),
        (403, "application/json", REFUSAL % b"PermissionException", ConfigurationError, "alpha-panda login"),
        (429, "application/json", REFUSAL % b"NetworkException", TransientError, "NetworkException"),
        (502, "text/html", b"<html>Bad gateway", TransientError, "DataException"),
        (200, "", b"", TransientError, "an answer its client cannot read"),
        (200, "application/json", b'{"status": "success", "data": []}', TransientError, "but JSON"),
        (200, "application/json", b"{}", TransientError, "an answer its client cannot read"),
        (200, "text/csv", b"\xff\xfe", ConfigurationError, "is not UTF-8 text"),
    ],
)
def test_a_server_that_sends_no_dump_is_one_sentence_without_the_token(
    server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    kind: str,
    body: bytes,
    error: type[Exception],
    words: str,
) -> None:
    for name, value in (("status", status), ("kind", kind), ("body", body)):
        monkeypatch.setattr(Answer, name, value)
    with pytest.raises(error, match=words) as caught:
        dump_of_server(of_feed(server, tmp_path))
    assert SECRET not in str(caught.value)


def test_a_server_that_is_away_is_transient(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match=r"^No instrument dump from http://127.0.0.1:1: .*ConnectionError$"):
        dump_of_server(of_feed("http://127.0.0.1:1", tmp_path))


def test_a_session_needs_a_key_and_a_token(tmp_path: Path) -> None:
    assert has_session(of_feed("http://127.0.0.1:1", tmp_path))
    assert not has_session(configured())
    assert not has_session(configured(kite={"api_key": "x", "session_file": tmp_path / "none"}))
    with pytest.raises(ConfigurationError, match="login --new-key"):
        has_session(configured(kite={"api_key": "x", "session_key": "short"}))
