"""What a live engine needs besides its orders: each condition is told while it is not met, and only then."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agents.live.conditions import Conditions
from brokers.zerodha.session import SessionState
from faust_app.runtime.errors import TransientError
from faust_app.runtime.lease import Holder
from faust_app.runtime.lifecycle import WorkerState


class World:
    """Session, lease and PostgreSQL, all well."""

    def __init__(self) -> None:
        self.state = WorkerState()
        self.state.recovered("start")
        self.session = SimpleNamespace(state=SessionState.VALID, reason="Log in")
        self.lease = SimpleNamespace(value="7|here", holder=None)
        self.error: Exception | None = None
        given: Any = (self, self.session, self.lease)
        self.conditions = Conditions(*given, self.state, broker="zerodha")

    async def ping(self) -> None:
        if self.error is not None:
            raise self.error

    async def look(self) -> dict[str, str]:
        """Reasons after one round."""
        await self.conditions._ask_postgresql()
        self.conditions._look_at_session()
        self.conditions._look_at_lease()
        return self.state.reasons


@pytest.fixture
def world() -> World:
    return World()


async def test_nothing_is_missing_when_all_is_well(world: World) -> None:
    assert await world.look() == {}
    assert world.conditions.is_stored


@pytest.mark.parametrize("state", [one for one in SessionState if one is not SessionState.VALID])
async def test_a_session_that_is_not_valid_is_told_until_it_is(world: World, state: SessionState) -> None:
    world.session.state = state
    assert await world.look() == {"session": "Log in"}
    world.session.state = SessionState.VALID
    assert await world.look() == {}


async def test_a_lease_of_another_process_is_told_with_its_name(world: World) -> None:
    world.lease.value = ""
    assert await world.look() == {"lease": "The lease is not held yet"}
    world.lease.holder = Holder(3, "laptop/0")
    assert await world.look() == {"lease": "laptop/0 runs this account"}
    world.lease.value = "8|here"
    assert await world.look() == {}


async def test_an_audit_trail_that_does_not_answer_is_told_until_it_does(world: World) -> None:
    world.error = TransientError("PostgreSQL is away")
    assert await world.look() == {"audit trail": "No entries: PostgreSQL is away"}
    assert not world.conditions.is_stored
    world.error = None
    assert await world.look() == {}
    assert world.conditions.is_stored
