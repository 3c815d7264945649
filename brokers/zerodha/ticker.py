"""One KiteTicker connection, kept alive.

The library's callbacks run in Twisted's reactor thread; an exception there kills the connection, so every one is
caught. The library notices neither a half-open socket nor a refused token, so the last frame and the reason of
a refusal are watched here. `stop()` of the library ends the reactor for the whole process and is never called.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

import structlog
from kiteconnect import KiteTicker
from twisted.internet import reactor, task

from brokers.zerodha.session import SessionView

log = structlog.get_logger(__name__)
TOKENS_PER_CONNECTION = 3000
MOST_CONNECTIONS = 3
WATCH_SECONDS = 0.5
CONNECT_SECONDS = 8
SHORTEST_RECONNECT_CAP = 5
MOST_TRIES = 300
START_SECONDS = 10.0


class Connection(StrEnum):
    """State of a connection."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    REFUSED = "refused"  # there is no session, or it is not accepted; waits for another one


class Listener(Protocol):
    """What a ticker reports to. All methods are called in the reactor thread and may block it."""

    def on_frame(self, payload: bytes) -> None:
        """A binary frame, heartbeats included."""

    def on_text(self, payload: bytes) -> None:
        """A text frame of the first connection; the others bring the same."""

    def on_state(self, number: int, state: Connection, reason: str) -> None:
        """Connection `number` changed its state."""

    def on_attempt(self, cause: str) -> None:
        """A connection was opened: `start`, `reconnect`, `silent` or `token`."""


@dataclass(frozen=True)
class Address:
    """Where and as whom to connect. The session is asked for its token at every new connection."""

    ws_root: str | None
    api_key: str
    session: SessionView


_starting = threading.Lock()


def start_reactor() -> None:
    """Run Twisted's reactor in a daemon thread, once a process; returns when it runs."""
    with _starting:
        if reactor.running:
            return
        running = threading.Event()
        reactor.callWhenRunning(running.set)
        run = threading.Thread(target=reactor.run, kwargs={"installSignalHandlers": False}, name="reactor", daemon=True)
        run.start()
        if not running.wait(START_SECONDS):
            raise RuntimeError("The reactor did not start")


class Ticker:
    """Connection `number` of a feed, over `tokens`. Public methods may be called from any thread."""

    def __init__(
        self, number: int, address: Address, tokens: Sequence[int], listener: Listener, silent_seconds: float
    ) -> None:
        if len(tokens) > TOKENS_PER_CONNECTION:
            raise ValueError(f"{len(tokens)} tokens, a connection takes {TOKENS_PER_CONNECTION}")
        self._number = number
        self._address = address
        self._tokens = list(tokens)
        self._listener = listener
        self._silent_seconds = silent_seconds
        self._ticker: Any = None
        self._state = Connection.CONNECTING
        self._token = ""
        self._last_frame = time.monotonic()
        self._errors: set[str] = set()
        self._watch = task.LoopingCall(self._guard, self._check)

    def start(self) -> None:
        """Connect, and keep connected until `stop`."""
        start_reactor()
        reactor.callFromThread(self._begin)

    def stop(self) -> None:
        """Disconnect for good."""
        reactor.callFromThread(self._end)

    def _begin(self) -> None:
        self._watch.start(WATCH_SECONDS, now=False)
        self._guard(self._connect, "start")

    def _end(self) -> None:
        if self._watch.running:
            self._watch.stop()
        self._drop()

    def _guard(self, work: Callable[..., None], *arguments: Any) -> None:
        """Nothing may leave a callback; each kind of error is logged once."""
        try:
            work(*arguments)
        except Exception as error:
            kind = f"{type(error).__name__}: {error}"
            if kind not in self._errors:
                self._errors.add(kind)
                log.exception("ticker_callback_failed", connection=self._number, error=kind)

    def _connect(self, cause: str) -> None:
        self._drop()
        self._token = self._address.session.token()
        if not self._token:
            self._become(Connection.REFUSED, self._address.session.reason)
            return
        self._last_frame = time.monotonic()
        ticker = KiteTicker(
            self._address.api_key,
            self._token,
            root=self._address.ws_root,
            reconnect_max_tries=MOST_TRIES,
            reconnect_max_delay=SHORTEST_RECONNECT_CAP,
            connect_timeout=CONNECT_SECONDS,
        )
        ticker.on_open = self._only_current(self._on_open)
        ticker.on_message = self._only_current(self._on_message)
        ticker.on_error = self._only_current(self._on_error)
        ticker.on_close = self._only_current(self._on_close)
        ticker.on_noreconnect = self._only_current(self._on_noreconnect)
        # the library reads text frames, too: one that it cannot read would cost the connection
        ticker._on_message = partial(self._guard, ticker._on_message)
        self._ticker = ticker
        self._become(Connection.CONNECTING, cause)
        self._listener.on_attempt(cause)
        ticker.connect(threaded=True)

    def _only_current(self, callback: Callable[..., None]) -> Callable[..., None]:
        """A callback that ignores connections which have been replaced, and lets no error out."""

        def call(ticker: Any, *arguments: Any) -> None:
            if ticker is self._ticker:
                self._guard(callback, *arguments)
            elif ticker.ws is not None:
                ticker.ws.dropConnection(abort=True)

        return call

    def _drop(self) -> None:
        ticker, self._ticker = self._ticker, None
        if ticker is None:
            return
        ticker.stop_retry()
        if ticker.ws is not None:
            ticker.ws.dropConnection(abort=True)

    def _become(self, state: Connection, reason: str) -> None:
        if state is not self._state or state is Connection.CONNECTING:
            self._state = state
            self._listener.on_state(self._number, state, reason)

    def _on_open(self, *_: Any) -> None:
        """On later opens of the same ticker the library subscribes again by itself."""
        self._last_frame = time.monotonic()
        self._become(Connection.CONNECTED, "")
        if self._ticker.subscribed_tokens:
            self._listener.on_attempt("reconnect")
            return
        self._ticker.subscribe(self._tokens)
        self._ticker.set_mode(self._ticker.MODE_FULL, self._tokens)

    def _on_message(self, payload: bytes, is_binary: bool) -> None:
        if is_binary:
            self._listener.on_frame(payload)
        elif self._number == 0:
            self._listener.on_text(payload)
        self._last_frame = time.monotonic()

    def _on_error(self, code: Any, reason: Any) -> None:
        if "403" in str(reason):
            self._ticker.stop_retry()
            self._address.session.refuse(self._token)
            self._become(Connection.REFUSED, self._address.session.reason)

    def _on_close(self, code: Any, reason: Any) -> None:
        if self._state is not Connection.REFUSED:
            self._become(Connection.CONNECTING, f"Closed: {code} {reason}")

    def _on_noreconnect(self, *_: Any) -> None:
        self._connect("reconnect")

    def _check(self) -> None:
        """Replace a silent connection; after a refusal, connect when there is another token."""
        if self._state is Connection.REFUSED:
            if self._address.session.token() not in ("", self._token):
                self._connect("token")
        elif self._state is Connection.CONNECTED and time.monotonic() - self._last_frame > self._silent_seconds:
            log.warning("socket_silent", connection=self._number, seconds=round(self._silent_seconds, 1))
            self._connect("silent")
