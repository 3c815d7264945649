"""The stack's state folder: one user at a time, enough room, and what a run leaves for the next one."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from faust_app.runtime.settings import RUNTIME_OVERLAY
from stack.errors import CannotStart
from trading.market.sessions import IST, next_trading_day

LEAST_FREE_BYTES = 1_000_000_000
SESSION_FILE = "session.json"


class StateFolder:
    """`.local/` by default. Held by one stack at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock = -1

    def acquire(self) -> None:
        """Take the folder. Raises CannotStart when another stack has it, or the disk is full."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CannotStart(f"The state folder {self.path} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._lock, 20).decode() or "unknown"
            raise CannotStart(f"Another stack runs on {self.path} (process {holder}): stop it first") from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)
        free = shutil.disk_usage(self.path).free
        if free < LEAST_FREE_BYTES:
            raise CannotStart(
                f"Only {free // 1_000_000} MB are free where {self.path} is; the stack needs "
                f"{LEAST_FREE_BYTES // 1_000_000} MB"
            )

    def release(self) -> None:
        """Give the folder back."""
        self.overlay_file.unlink(missing_ok=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @property
    def overlay_file(self) -> Path:
        """Settings of the running stack, for commands in other terminals."""
        return self.path / RUNTIME_OVERLAY

    def write_overlay(self, overlay: dict[str, Any]) -> None:
        """Replace the overlay; only its owner can read it."""
        written = self.path / f".{RUNTIME_OVERLAY}"
        with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            yaml.safe_dump(overlay, file)
        written.replace(self.overlay_file)

    def next_session_date(self) -> date:
        """The trading day of this run: the one after the last run's, the first time today's."""
        file = self.path / SESSION_FILE
        try:
            last = date.fromisoformat(json.loads(file.read_text())["session_date"])
        except (OSError, ValueError, KeyError):
            return next_trading_day(datetime.now(IST).date())
        return next_trading_day(last + timedelta(days=1))

    def note_session_date(self, day: date) -> None:
        """Remember the run's trading day."""
        (self.path / SESSION_FILE).write_text(json.dumps({"session_date": day.isoformat()}))


def is_held(path: Path) -> bool:
    """True when a stack runs on the folder."""
    try:
        handle = os.open(path / "lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(handle)
