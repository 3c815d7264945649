"""Somebody to be told: an HTTP server on the loopback that keeps what apprise's `json://` sends it."""

from __future__ import annotations

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class NoticeSink:
    """Takes messages, but the next `refusals` of those whose title has `refused` in it."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.refusals = 0
        self.refused = ""
        self.calls = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """As apprise takes it, with a password."""
        return f"json://somebody:PassPhrase77@127.0.0.1:{self._server.server_address[1]}/HiddenPath88"

    def titles(self) -> list[str]:
        """Of what has come, in order."""
        return [message["title"] for message in self.messages]

    def file_in(self, folder: Path) -> Path:
        """A file of addresses that names it."""
        file = folder / "addresses"
        file.write_text(f"# for tests\n\n{self.address}\n")
        file.chmod(0o600)
        return file

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def _handler(sink) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                sink.calls += 1
                is_refused = sink.refusals > 0 and sink.refused in message["title"]
                if is_refused:
                    sink.refusals -= 1
                else:
                    sink.messages.append(message)
                self.send_response(503 if is_refused else 200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


class MailSink:
    """A mail server that keeps each message as it came."""

    def __init__(self) -> None:
        self.mails: list[str] = []
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """As apprise takes it."""
        port = self._server.server_address[1]
        return f"mailto://127.0.0.1:{port}?from=panda@example.com&to=trader@example.com&mode=insecure"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def _handler(sink) -> type[socketserver.StreamRequestHandler]:  # noqa: N805
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.say("220 sink")
                for raw in self.rfile:
                    verb = raw.decode().strip().upper()
                    if verb == "DATA":
                        self.say("354 go on")
                        sink.mails.append("".join(line.decode() for line in iter(self.rfile.readline, b".\r\n")))
                    self.say("221 bye" if verb == "QUIT" else "250 taken")
                    if verb == "QUIT":
                        return

            def say(self, line: str) -> None:
                self.wfile.write(f"{line}\r\n".encode())

        return Handler
