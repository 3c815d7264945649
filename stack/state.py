"""The stack's state folder: one user at a time, enough room, and what a run leaves for the next one."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import yaml

from faust_app.runtime.pages import PAGES_FILE
from faust_app.runtime.settings import RUNTIME_OVERLAY
from stack.errors import CannotStart
from trading.market.sessions import IST, regular_day_from

LEAST_FREE_BYTES = 1_000_000_000
SESSION_FILE = "session.json"
LOCK_FILE = "lock"
CONTENTS = {LOCK_FILE, SESSION_FILE, PAGES_FILE, RUNTIME_OVERLAY, f".{RUNTIME_OVERLAY}"} | {
    "kafka", "postgres", "redis", "tables", "logs", "run", "prometheus",
}  # fmt: skip
ENDING_SECONDS = 25.0  # longer than the guardian takes


class StateFolder:
    """`.local/` by default. Held by one stack at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock = -1

    def acquire(self) -> None:
        """Take the folder. Raises CannotStart when another stack has it, or the disk is full."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CannotStart(f"The state folder {self.path} cannot be used: {error.strerror}") from error
        self._take_lock()
        self.overlay_file.unlink(missing_ok=True)  # of a run that could not remove it
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)
        free = shutil.disk_usage(self.path).free
        if free < LEAST_FREE_BYTES:
            raise CannotStart(
                f"Only {free // 1_000_000} MB are free where {self.path} is; the stack needs "
                f"{LEAST_FREE_BYTES // 1_000_000} MB"
            )

    def _take_lock(self) -> None:
        """Raises CannotStart when another stack has it; waits when that one died and its processes are being ended."""
        deadline = time.monotonic() + ENDING_SECONDS
        while True:
            try:
                return fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder = os.pread(self._lock, 20, 0).decode()
                is_ending = holder.isdigit() and not psutil.pid_exists(int(holder))
                if not is_ending or time.monotonic() > deadline:
                    running = f"Another stack runs on {self.path} (process {holder or 'unknown'}): stop it first"
                    raise CannotStart(running) from error
            time.sleep(0.1)

    @property
    def lock(self) -> int:
        """The open lock file."""
        return self._lock

    def write_pages(self, pages: Mapping[str, int]) -> None:
        """Note the ports of the workers' pages, by worker in the order of the flow, for `status`."""
        (self.path / PAGES_FILE).write_text(json.dumps(pages))

    def release(self) -> None:
        """Give the folder back."""
        self.overlay_file.unlink(missing_ok=True)
        (self.path / PAGES_FILE).unlink(missing_ok=True)
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
            return regular_day_from(datetime.now(IST).date())
        return regular_day_from(last + timedelta(days=1))

    def note_session_date(self, day: date) -> None:
        """Remember the run's trading day."""
        (self.path / SESSION_FILE).write_text(json.dumps({"session_date": day.isoformat()}))


def strangers(path: Path) -> list[str]:
    """What is in the folder that no stack has put there."""
    return sorted({entry.name for entry in path.iterdir()} - CONTENTS)


def is_held(path: Path) -> bool:
    """True when a stack runs on the folder."""
    try:
        handle = os.open(path / LOCK_FILE, os.O_RDWR)
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


def forget_dead_run(path: Path) -> None:
    """Remove the settings of a run that could not do so itself. Those of a stack that runs stay."""
    if not is_held(path.absolute()):
        (path / RUNTIME_OVERLAY).unlink(missing_ok=True)
