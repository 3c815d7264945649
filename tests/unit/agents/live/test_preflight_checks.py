"""What the checks remember between two runs, and what they do without."""

from __future__ import annotations

from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest

from agents.live.preflight import checks
from agents.live.preflight.checks import Checks, take_all
from agents.live.preflight.result import Check, Outcome, Result
from brokers.zerodha.client import Greeting
from brokers.zerodha.session import SessionState
from faust_app.runtime.errors import TransientError
from tests.unit.runtime.configurations import configured, with_live
from trading.market.instruments import InstrumentRegistry

NOW = 1_787_200_000.5


class World:
    """A broker whose clock is always ours."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.awake = NOW, 100.0
        session = SimpleNamespace(state=SessionState.VALID, expires_at=int(NOW) + 3600)
        client = SimpleNamespace(greet=self.greet)
        self.made = Checks(
            with_live(configured()),
            "zerodha",
            client,  # type: ignore[arg-type]
            session,  # type: ignore[arg-type]
            self.loaded,
            self.compared,
            now=lambda: self.wall,
        )
        monkeypatch.setattr(checks, "awake_seconds", lambda: self.awake)

    async def loaded(self) -> InstrumentRegistry:
        raise TransientError("PostgreSQL is away")

    async def compared(self) -> None:
        """There was no comparison yet."""

    async def greet(self) -> Greeting:
        user: dict[str, Any] = {"user_id": "AB1234", "exchanges": ["NSE"], "products": ["MIS"]}
        return Greeting(user, formatdate(self.wall, usegmt=True), self.wall, self.wall)

    async def look(self, passing: float, jump: float = 0.0) -> dict[Check, Result]:
        """Some time later, after which the wall clock has jumped."""
        self.wall, self.awake = self.wall + passing + jump, self.awake + passing
        step = next(one for one in self.made.steps() if Check.CLOCK in one.checks)
        return {one.check: one for one in await take_all([step])}


async def test_a_clock_that_was_set_between_two_runs_fails_one_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    found = [(await world.look(60, jump))[Check.CLOCK].outcome for jump in (0.0, 0.0, 10.0, 0.0, -10.0, 0.0)]
    good, bad = Outcome.PASSED, Outcome.FAILED
    assert found == [good, good, bad, good, bad, good]


async def test_the_session_is_looked_at_while_postgres_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await World(monkeypatch).look(0))[Check.SESSION].outcome is Outcome.PASSED
