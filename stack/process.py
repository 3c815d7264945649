"""One child process: started in a group of its own, its output in a rotating file, stopped gently and then not."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path

LAST_LINES = 6
COMPLAINTS = ('"level": "error"', '"level": "critical"', "ERROR", "FATAL", "Error: ")
LOG_BYTES = 20 * 1024 * 1024
LOG_FILES = 3
LONGEST_LINE = 1024 * 1024


@dataclass(frozen=True)
class Command:
    """What to run. `environment` is added to ours; `grace_seconds` is the time between asking and killing.

    A line of its output is written down as `as_written` says, one that comes out empty not at all.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 10.0
    as_written: Callable[[str], str] | None = None


class Process:
    """A running child. `on_line` sees every line of output first; a line it takes (True) is not written down."""

    def __init__(self, command: Command, logs: Path, on_line: Callable[[str], bool] | None = None) -> None:
        self.command = command
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._complaints: deque[str] = deque(maxlen=LAST_LINES)
        self._on_line = on_line
        self._log = RotatingFileHandler(logs / f"{command.name}.log", maxBytes=LOG_BYTES, backupCount=LOG_FILES)
        self._child: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Process id; 0 before the start."""
        return self._child.pid if self._child is not None else 0

    @property
    def is_running(self) -> bool:
        """True between start and end."""
        return self._child is not None and self._child.returncode is None

    @property
    def last_lines(self) -> list[str]:
        """What tells best why it ended: its last complaints, or its last output when it made none."""
        return list(self._complaints or self._last_lines)

    async def start(self) -> None:
        """Start it. Raises OSError when that is not possible."""
        self._child = await asyncio.create_subprocess_exec(
            *self.command.arguments,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            env={**os.environ, **self.command.environment},
            start_new_session=True,
            limit=LONGEST_LINE,
        )
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        stream = self._child.stdout if self._child is not None else None
        while stream is not None:
            try:
                raw = await stream.readline()
            except ValueError:  # a line beyond the limit: what was read of it is lost
                continue
            if not raw:
                return
            self._note(raw.decode(errors="replace").rstrip("\n"))

    def _note(self, line: str) -> None:
        if self._on_line is not None and self._on_line(line):
            return
        self._last_lines.append(line)
        if any(word in line for word in COMPLAINTS):
            self._complaints.append(line)
        as_written = self.command.as_written
        if as_written is None:
            self._log.emit(logging.makeLogRecord({"msg": line}))
        elif written := as_written(line):
            self._log.emit(logging.makeLogRecord({"msg": written}))

    async def wait(self) -> int:
        """Its exit code, when it has ended and all its output is written."""
        if self._child is None:
            return 0
        code = await self._child.wait()
        if self._reader is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._reader), 1.0)
            self._reader.cancel()
        self._log.close()
        return code

    async def stop(self) -> int:
        """Ask it to end; kill its group when it does not within the grace time."""
        if self._child is None or self._child.returncode is not None:
            return await self.wait()
        with contextlib.suppress(ProcessLookupError):
            self._child.send_signal(self.command.stop_signal)
        try:
            return await asyncio.wait_for(asyncio.shield(self.wait()), self.command.grace_seconds)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            return await self.wait()
