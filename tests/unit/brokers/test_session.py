"""The session with Kite: encrypted in its file, dead from six in the morning, refused once and for all."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from brokers.zerodha.session import Session, SessionState, SessionStore, SessionView, new_session_key
from trading.market.sessions import IST

TOKEN = "a-token-nobody-may-see"
API_KEY = "application"


def at(text: str) -> int:
    """Epoch second of an Indian time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=IST).timestamp())


def session(**values: object) -> Session:
    return replace(Session(API_KEY, TOKEN, "AB1234", at("2026-08-20 08:00")), **values)


class World:
    """A store, a view on it, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.store = SessionStore(folder / "deep" / "session", new_session_key())
        self.now = at("2026-08-20 09:00")
        self.view = SessionView(self.store, API_KEY, lambda: self.now)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    ("obtained", "expires"),
    [
        ("2026-08-20 08:00", "2026-08-21 06:00"),
        ("2026-08-20 05:59:59", "2026-08-20 06:00"),
        ("2026-08-20 06:00", "2026-08-21 06:00"),
        ("2026-08-20 23:59", "2026-08-21 06:00"),
    ],
)
def test_a_session_ends_at_the_next_six_in_the_morning(obtained: str, expires: str) -> None:
    assert session(obtained_at=at(obtained)).expires_at == at(expires)


def test_it_is_valid_until_then_and_picked_up_without_a_restart(world: World) -> None:
    assert (world.view.state, world.view.token()) == (SessionState.MISSING, "")
    world.store.write(session())
    assert (world.view.state, world.view.token()) == (SessionState.VALID, TOKEN)
    world.now = at("2026-08-21 05:59:59")
    assert world.view.token() == TOKEN
    world.now = at("2026-08-21 06:00")
    assert (world.view.state, world.view.token()) == (SessionState.EXPIRED, "")
    assert "alpha-panda login" in world.view.reason
    world.store.write(session(access_token="next", obtained_at=world.now))
    assert world.view.token() == "next"
    world.store.file.unlink()
    assert world.view.state is SessionState.MISSING


def test_a_refused_token_is_not_used_again_and_another_is(world: World) -> None:
    world.store.write(session())
    world.view.refuse(world.view.token())
    assert (world.view.state, world.view.token()) == (SessionState.REFUSED, "")
    world.store.write(session())
    assert world.view.state is SessionState.REFUSED
    world.store.write(session(access_token="next"))
    assert world.view.token() == "next"


def test_a_session_of_another_application_is_not_used(world: World) -> None:
    world.store.write(session(api_key="another"))
    assert (world.view.state, world.view.token()) == (SessionState.OTHER_KEY, "")


def test_without_the_right_key_it_cannot_be_read(world: World) -> None:
    world.store.write(session())
    other = SessionStore(world.store.file, new_session_key())
    assert other.read() is SessionState.UNREADABLE
    world.store.file.write_bytes(b"rubbish")
    assert world.store.read() is SessionState.UNREADABLE
    with pytest.raises(ValueError, match="Fernet"):
        SessionStore(world.store.file, "short")


def test_nothing_shows_the_token(world: World) -> None:
    world.store.write(session())
    assert TOKEN.encode() not in world.store.file.read_bytes()
    assert world.store.file.stat().st_mode & 0o777 == 0o600
    assert TOKEN not in repr(world.store.read())
    assert [one.name for one in world.store.file.parent.iterdir()] == ["session"]
