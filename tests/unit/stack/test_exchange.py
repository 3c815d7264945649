from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
from kiteconnect import KiteConnect

from brokers.zerodha.session import Session, SessionStore
from faust_app.runtime.sections import StackSettings
from stack import exchange as module
from stack.errors import CannotStay
from stack.exchange import Exchange, MarketChoice, synthetic_market
from stack.ports import any_free
from stack.supervisor import State, Supervisor

DAY = date(2026, 11, 20)
DEADLINE = 60.0


def exchange(folder: Path, speed: float = 1.0) -> Exchange:
    return Exchange(any_free(), MarketChoice(DAY, 7, 5, speed), folder / "run" / "session")


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    created = Supervisor(tmp_path / "logs")
    yield created
    await created.stop(*created.services)
    created.close()


def token(one: Exchange) -> str:
    found = SessionStore(one.session_file, one.session_key).read()
    assert isinstance(found, Session)
    return found.access_token


async def accepts(one: Exchange) -> bool:
    """True when the exchange knows the session in the file."""
    client = KiteConnect(one.api_key, access_token=token(one), root=one.root)
    profile = await asyncio.to_thread(client.profile)
    return bool(profile["user_id"])


async def test_exchange_is_ready_when_logged_in_and_again_after_a_crash(supervisor: Supervisor, tmp_path: Path) -> None:
    one = exchange(tmp_path)
    service = one.service()
    await supervisor.start([service])
    first = token(one)
    assert await accepts(one)
    assert stat.S_IMODE(one.session_file.stat().st_mode) == 0o600
    one.note_opened()
    assert service.process is not None
    os.kill(service.process.pid, signal.SIGKILL)
    async with asyncio.timeout(DEADLINE):
        while service.restarts == 0 or service.state is not State.READY:
            await asyncio.sleep(0.05)
    assert token(one) != first
    assert await accepts(one)
    assert "--from" in service.process.command.arguments
    log = (tmp_path / "logs" / "sandbox.log").read_text()
    assert one.api_secret not in log
    assert "request_token" not in log


async def test_refused_login_ends_the_start_and_names_no_secret(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = exchange(tmp_path)
    service = one.service()
    command = service.command()
    one.api_secret = "wrong-from-now-on"
    service.command = lambda: command
    with pytest.raises(CannotStay) as refused:
        await supervisor.start([service])
    assert str(refused.value).startswith("sandbox cannot be used: The broker refused the login: ")
    assert one.api_secret not in str(refused.value)


def test_keys_are_new_for_every_stack_and_not_among_the_arguments(tmp_path: Path) -> None:
    one, other = exchange(tmp_path), exchange(tmp_path)
    assert one.api_key != other.api_key
    assert one.api_secret != other.api_secret
    arguments = " ".join(one.service().command().arguments)
    assert one.api_secret not in arguments
    assert one.api_key not in arguments


def test_keys_are_in_no_layer_of_settings(tmp_path: Path) -> None:
    one = exchange(tmp_path)
    assert not {one.api_key, one.api_secret, one.session_key} & {str(value) for value in one.overlay()["kite"].values()}


def test_restarted_exchange_goes_on_at_the_time_it_would_have_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = exchange(tmp_path, speed=60.0)
    now = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    assert "--from" not in one.service().command().arguments
    one.note_opened()
    now += 45.0  # three quarters of an hour at 60 market seconds a second
    arguments = [*one.service().command().arguments]
    assert arguments[arguments.index("--from") + 1] == "10:00"


def test_market_is_what_the_settings_say() -> None:
    settings = StackSettings.model_validate(
        {"sandbox_seed": 3, "sandbox_symbols": 20, "sandbox_speed": 2.5, "sandbox_rate": 900}
    )
    assert synthetic_market(settings) == MarketChoice(None, 3, 20, 2.5, rate=900)
    assert synthetic_market(settings).on(DAY).session_date == DAY
