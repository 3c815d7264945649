"""The sandbox exchange as a service of the stack: started, logged in to, and logged in to again after a restart."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import time
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

import aiohttp

from brokers.errors import BrokerFailure, SessionRefused
from brokers.zerodha.session import SessionStore, login, new_session_key
from faust_app.runtime.sections import StackSettings
from stack import ports
from stack.process import Command
from stack.supervisor import Service
from trading.market.sessions import IST, session_start

NAME = "sandbox"
CLI = "faust_app.commands.cli"  # by name: commands import the stack, not the other way round


@dataclass(frozen=True)
class MarketChoice:
    """What the exchange plays: a synthetic market, or a recording."""

    session_date: date | None
    seed: int
    symbols: int | None
    speed: float
    replay: Path | None = None
    rate: int | None = None
    until: str | None = None  # HH:MM

    def on(self, day: date | None) -> MarketChoice:
        """The same market on a trading day."""
        return replace(self, session_date=day)


@dataclass
class Exchange:
    """Credentials live as long as the stack, in memory and in files that only their owner can read."""

    port: int
    market: MarketChoice
    session_file: Path
    api_key: str = field(default_factory=lambda: secrets.token_hex(8))
    api_secret: str = field(default_factory=lambda: secrets.token_hex(16))
    session_key: str = field(default_factory=new_session_key)
    _opened_at: float = 0.0
    _request_token: str = ""

    @property
    def root(self) -> str:
        """REST root."""
        return f"http://{ports.HOST}:{self.port}"

    def overlay(self) -> dict[str, dict[str, object]]:
        """As a layer of settings, which names the files of the keys."""
        ws_root = f"ws://{ports.HOST}:{self.port}"
        files = {f"{name}_file": str(file) for name, file in self._secret_files().items()}
        return {"kite": {"root": self.root, "ws_root": ws_root, "session_file": str(self.session_file), **files}}

    def _secret_files(self) -> dict[str, Path]:
        names = ("api_key", "api_secret", "session_key")
        return {name: self.session_file.with_name(f"kite-{name.replace('_', '-')}") for name in names}

    def write_secrets(self) -> None:
        """For the workers, and for commands in other terminals; only their owner can read them."""
        for name, file in self._secret_files().items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
                opened.write(getattr(self, name))

    def forget_secrets(self) -> None:
        """The run is over."""
        for file in (*self._secret_files().values(), self.session_file):
            file.unlink(missing_ok=True)

    def service(self) -> Service:
        """To be supervised."""
        return Service(NAME, self._command, self._is_ready, on_line=self._on_line)

    def note_opened(self) -> None:
        """The market has begun: a restarted exchange goes on at the time it would have reached."""
        self._opened_at = time.monotonic()

    def _command(self) -> Command:
        self._request_token = ""
        market = self.market
        arguments = [sys.executable, "-m", CLI, "sandbox", "--port", str(self.port), "--speed", str(market.speed)]
        arguments += ["--seed", str(market.seed)]
        arguments += _option("--symbols", market.symbols) + _option("--rate", market.rate)
        arguments += _option("--replay", market.replay) + _option("--session-date", market.session_date)
        arguments += _option("--until", market.until)
        if self._opened_at and market.session_date is not None:
            arguments += ["--from", self._reached(market.session_date)]
        environment = {
            "ALPHA_PANDA_SANDBOX_API_KEY": self.api_key,
            "ALPHA_PANDA_SANDBOX_API_SECRET": self.api_secret,
        }
        return Command(NAME, arguments, environment)

    def _reached(self, day: date) -> str:
        elapsed = (time.monotonic() - self._opened_at) * self.market.speed
        return datetime.fromtimestamp(session_start(day) + elapsed, IST).strftime("%H:%M")

    def _on_line(self, line: str) -> bool:
        """Takes the first line, which holds secrets: it goes into no log."""
        if self._request_token or not line.startswith("{"):
            return False
        self._request_token = json.loads(line)["request_token"]
        return True

    async def _is_ready(self) -> bool:
        """Ready when it has printed its first line and let us log in."""
        if not self._request_token:
            return False
        try:
            session = await asyncio.to_thread(
                login, self.root, self.api_key, self.api_secret, self._request_token, time.time()
            )
        except SessionRefused:
            raise
        except BrokerFailure:
            return False
        SessionStore(self.session_file, self.session_key).write(session)
        return True

    async def ticks_of_finished(self) -> int | None:
        """Ticks sent, once a recording has been played to its end; None before."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
                session.get(f"{self.root}/sandbox/status") as answer,
            ):
                status = await answer.json()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        return int(status["ticks_sent"]) if status["finished"] else None


def _option(name: str, value: object | None) -> list[str]:
    return [] if value is None else [name, str(value)]


def synthetic_market(settings: StackSettings) -> MarketChoice:
    """The synthetic market of the settings; its trading day is chosen when it starts."""
    return MarketChoice(
        None, settings.sandbox_seed, settings.sandbox_symbols, settings.sandbox_speed, rate=settings.sandbox_rate
    )
