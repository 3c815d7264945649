"""A stack with Zerodha live, on the sandbox exchange, and what its operator can do to that."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from brokers.zerodha.session import SessionStore, login
from tests.running_stack import RunningStack

LIVE = {
    "ALPHA_PANDA__BROKERS__ZERODHA__EXECUTION": "live",
    "ALPHA_PANDA__BROKERS__ZERODHA__RECONCILE_SECONDS": "2",
    "ALPHA_PANDA__SEED__STRATEGIES_FILE": "tests/e2e/live_strategies.yaml",
    "ALPHA_PANDA__STACK__SANDBOX_SYMBOLS": "20",
}


class LiveStack(RunningStack):
    """Also asks the exchange."""

    @property
    def root(self) -> str:
        """The exchange's REST root."""
        return f"http://127.0.0.1:{self.environment['ALPHA_PANDA__STACK__SANDBOX_PORT']}"

    def exchange(self, method: str, path: str, body: Any = None, *, is_sure: bool = True, **form: Any) -> Any:
        """What its operator does; when it is not sure to work, a refusal is no failure."""
        answer = requests.request(method, f"{self.root}/sandbox{path}", json=body, data=form or None, timeout=10)
        assert answer.ok or not is_sure, answer.text
        return answer.json()

    def log_in(self) -> None:
        """As `alpha-panda login` does."""
        key, secret, session_key = (
            (self.state / "run" / f"kite-{name}").read_text() for name in ("api-key", "api-secret", "session-key")
        )
        asked = self.exchange("POST", "/request_token", api_key=key, api_secret=secret)
        session = login(self.root, key, secret, asked["data"]["request_token"], time.time())
        SessionStore(self.state / "run" / "kite-session", session_key).write(session)

    def placed(self) -> list[dict[str, Any]]:
        """Our orders in the exchange's book."""
        return [one for one in self.exchange("GET", "/orders")["data"] if one["tag"]]

    @contextmanager
    def broken(self, kind: str, **settings: Any) -> Iterator[None]:
        """With a fault of the exchange."""
        number = self.exchange("POST", "/faults", {"kind": kind, **settings})["data"]["id"]
        try:
            yield
        finally:
            self.exchange("DELETE", f"/faults/{number}")
