"""`alpha-panda login` against the sandbox: what is stored, what is said, what is never shown."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from brokers.zerodha.session import Session, SessionStore, new_session_key
from faust_app.commands import login as command
from faust_app.commands.cli import _run
from faust_app.runtime.settings import Settings
from tests.exchange import Exchange, synthetic
from tests.unit.runtime.configurations import configured


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    running = Exchange(synthetic())
    yield running
    running.stop()


@pytest.fixture
def config(exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    sessions = exchange.sandbox.sessions
    found = configured(
        kite={
            "root": exchange.root,
            "api_key": sessions.api_key,
            "api_secret": sessions.api_secret,
            "session_file": tmp_path / "session",
            "session_key": new_session_key(),
        }
    )
    monkeypatch.setattr(command, "settings", lambda: found)
    return found


def stored(config: Settings) -> Session:
    assert config.kite.session_key is not None
    found = SessionStore(config.kite.session_file, config.kite.session_key.get_secret_value()).read()
    assert isinstance(found, Session)
    return found


def log_in(given: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    return _run(["login"])


@pytest.mark.parametrize("form", ["{}\n", "https://me.invalid/kite?status=success&request_token={}&action=login"])
def test_a_request_token_or_the_whole_address_logs_in(
    form: str,
    config: Settings,
    exchange: Exchange,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    token = exchange.sandbox.sessions.new_request_token()
    assert log_in(form.format(token), monkeypatch) == 0
    session = stored(config)
    out = "".join(capsys.readouterr())
    assert exchange.sandbox.sessions.is_valid(session.api_key, session.access_token)
    assert abs(session.obtained_at - time.time()) < 60
    assert out.startswith("Logged in as ")
    assert not [secret for secret in (token, session.access_token) if secret in out]
    assert _run(["login", "--status"]) == 0
    assert capsys.readouterr().out.startswith("There is a session until ")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "no request_token"),
        ("https://me.invalid/?status=cancelled&request_token=abc", "was not completed"),
        ("https://me.invalid/?action=login", "no request_token"),
        ("a b; c", "no address of a login"),
        ("neverissued", "good for one login"),
    ],
)
def test_what_is_no_login_is_one_sentence_and_stores_nothing(
    given: str, words: str, config: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert log_in(given, monkeypatch) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not config.kite.session_file.exists()
    assert _run(["login", "--status"]) == 1


def test_a_request_token_is_good_once(config: Settings, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    token = exchange.sandbox.sessions.new_request_token()
    assert [log_in(token, monkeypatch) for _ in range(2)] == [0, 2]


def test_without_its_settings_it_says_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "settings", lambda: configured(kite={"api_key": "x"}))
    assert _run(["login"]) == 2
    error = capsys.readouterr().err
    assert "ALPHA_PANDA__KITE__API_SECRET, ALPHA_PANDA__KITE__SESSION_KEY;" in error
    assert _run(["login", "--new-key"]) == 0
    assert SessionStore(Path("x"), capsys.readouterr().out.strip())


def test_a_broker_that_is_away_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, config: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    away = config.model_copy(update={"kite": config.kite.model_copy(update={"root": "http://127.0.0.1:1"})})
    monkeypatch.setattr(command, "settings", lambda: away)
    assert log_in("abc", monkeypatch) == 1
    assert "does not answer: ConnectionError" in capsys.readouterr().err
