"""The sandbox exchange on an event loop of its own, for tests of clients that run in threads."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.request
from collections.abc import Callable, Coroutine
from datetime import date
from typing import Any, TypeVar

from kiteconnect import KiteConnect

from sandbox.market import Market
from sandbox.scenario import Scenario
from sandbox.server import Sandbox
from sandbox.synthetic import SyntheticMarket
from trading.market.sessions import session_start

Result = TypeVar("Result")
HOST = "127.0.0.1"


def synthetic(count: int = 5, seed: int = 3, rate: int = 40) -> SyntheticMarket:
    """A small market on a fixed day."""
    return SyntheticMarket(seed=seed, count=count, session_start=session_start(date(2026, 8, 20)), rate=rate)


class Exchange:
    """A running sandbox."""

    def __init__(
        self,
        market: Market,
        speed: float = 1.0,
        port: int = 0,
        *,
        scenario: Scenario | None = None,
        autostart: bool = False,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.sandbox = self.call(lambda: self._build(market, speed, scenario, autostart))
        self.port = self.run(self.sandbox.start(HOST, port))

    async def _later(self, work: Callable[[], Result]) -> Result:
        return work()

    def _build(self, market: Market, speed: float, scenario: Scenario | None, autostart: bool) -> Sandbox:
        return Sandbox(market, speed=speed, scenario=scenario, autostart=autostart)

    def call(self, work: Callable[[], Result]) -> Result:
        """Call `work` on the exchange's loop."""
        return self.run(self._later(work))

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine on the exchange's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    @property
    def root(self) -> str:
        """REST root."""
        return f"http://{HOST}:{self.port}"

    @property
    def ws_root(self) -> str:
        """WebSocket root."""
        return f"ws://{HOST}:{self.port}"

    def rows(self) -> list[dict[str, Any]]:
        """The instrument dump, without a login: one would end the session of the client that is tested."""
        found: list[dict[str, Any]] = KiteConnect(self.sandbox.sessions.api_key, root=self.root).instruments()
        return found

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """`data` of an operator's endpoint below /sandbox. Raises urllib's HTTPError."""
        given = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        call = urllib.request.Request(f"{self.root}/sandbox{path}", given, headers, method=method)
        with urllib.request.urlopen(call, timeout=10) as answer:
            return json.load(answer)["data"]

    def fault(self, kind: str, **settings: Any) -> int:
        """Switch a fault on; its id."""
        return int(self.ask("POST", "/faults", {"kind": kind, **settings})["id"])

    def tick(self, instrument: str, last_price: float | str, **settings: Any) -> None:
        """Play a tick by hand."""
        self.ask("POST", "/ticks", {"instrument": instrument, "last_price": last_price, **settings})

    def client(self) -> KiteConnect:
        """The real client, logged in: the session of any client before it is over."""
        sessions = self.sandbox.sessions
        found = KiteConnect(sessions.api_key, root=self.root)
        session = found.generate_session(sessions.new_request_token(), sessions.api_secret)
        found.set_access_token(session["access_token"])
        return found

    def freeze(self) -> None:
        """Open connections stay open and get nothing more, not even heartbeats."""

        async def nothing(_: bytes) -> None:
            return

        for connection in self.sandbox._hub.connections:
            connection.send_raw = nothing  # type: ignore[method-assign]

    def drop_all(self) -> None:
        """Close every connection from the server's side."""
        for connection in list(self.sandbox._hub.connections):
            self.run(connection._socket.close(code=1012))

    def connections(self) -> int:
        """Open connections."""
        return len(self.sandbox._hub.connections)

    def stop(self) -> None:
        """Stop it."""
        self.run(self.sandbox.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
