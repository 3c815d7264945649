"""Log files of the stack: found, read, merged by time, and followed through rotations and restarts."""

from __future__ import annotations

import heapq
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from faust_app.runtime.log_channels import channel_of

FILE = re.compile(r"(?P<name>.+)\.log(?:\.(?P<age>\d+))?")
PLAIN_TIME = re.compile(
    r"(?:(?:ts|time)=\"?)?(?P<day>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d:\d\d(?:\.\d{1,6})?)\d*"
    r"\s?(?P<zone>UTC|Z|[+-]\d\d:?\d\d)?"
)
REDIS_TIME = re.compile(r"\d+:\w (\d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3})")
PLAIN_LEVEL = re.compile(r"level=(\w+)|\b(DEBUG|INFO|LOG|NOTICE|WARN|WARNING|ERROR|FATAL|PANIC|CRITICAL)\b")
LEVELS = ("debug", "info", "warning", "error", "critical")
SAME_LEVEL = {"log": "info", "notice": "info", "warn": "warning", "fatal": "critical", "panic": "critical"}
_decode = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True)
class Line:
    """One line: when, and its fields by the schema of logs, whoever wrote it."""

    at: float
    fields: dict[str, Any]


@dataclass
class _Position:
    inode: int = -1
    offset: int = 0
    at: float = 0.0  # of the last line, for lines that say no time


@dataclass
class LogFolder:
    """The logs of a folder. Each has a file `NAME.log`, and older ones `NAME.log.1`, `NAME.log.2`, ...

    A read begins where the last one ended, whatever has been rotated in between. Files that were last written to
    before `since` are left out.
    """

    folder: Path
    wants: Callable[[str], bool]
    since: float = 0.0
    _positions: dict[str, _Position] = field(default_factory=dict)

    def names(self) -> set[str]:
        """Whose logs there are."""
        found = (FILE.fullmatch(entry.name) for entry in self.folder.iterdir()) if self.folder.is_dir() else ()
        return {one["name"] for one in found if one is not None}

    def read(self) -> Iterator[Line]:
        """What has been written since the last time, merged by time."""
        chosen = sorted(name for name in self.names() if self.wants(name))
        return heapq.merge(*(self._read_log(name) for name in chosen), key=lambda line: line.at)

    def _read_log(self, name: str) -> Iterator[Line]:
        position = self._positions.setdefault(name, _Position())
        is_moved = True
        while is_moved:  # by a rotation, between looking and opening
            is_moved = False
            for path, inode in self._unread(name, position):
                try:
                    file = path.open("rb")
                except OSError:
                    is_moved = True
                    break
                with file:
                    is_moved = os.fstat(file.fileno()).st_ino != inode
                    if is_moved:
                        break
                    yield from _rest(name, file, inode, position)

    def _unread(self, name: str, position: _Position) -> list[tuple[Path, int]]:
        """The file of the position and those after it, the oldest first; all of them when it is gone."""
        found = []
        for path in self.folder.glob(f"{name}.log*"):
            parts, status = FILE.fullmatch(path.name), _status(path)
            if parts is not None and parts["name"] == name and status is not None:
                found.append((-int(parts["age"] or 0), path, status))
        found.sort(key=lambda one: one[0])
        for number, (_, _, status) in enumerate(found):
            if status.st_ino == position.inode and status.st_size >= position.offset:
                return [(path, status.st_ino) for _, path, status in found[number:]]
        return [(path, status.st_ino) for _, path, status in found if status.st_mtime >= self.since]


def _rest(name: str, file: BinaryIO, inode: int, position: _Position) -> Iterator[Line]:
    """Lines that have not been read; one that is being written is left for the next time."""
    if inode != position.inode or file.seek(0, os.SEEK_END) < position.offset:
        position.inode, position.offset = inode, 0
    position.at = position.at or os.fstat(file.fileno()).st_mtime
    file.seek(position.offset)
    for raw in file:
        if not raw.endswith(b"\n"):
            return
        position.offset += len(raw)
        line = parse(name, raw.decode(errors="replace").rstrip("\n"), position.at)
        position.at = line.at
        yield line


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # rotated away just now
        return None


def parse(name: str, text: str, before: float) -> Line:
    """A line of the log called `name`; one that says no time has that of the line before."""
    try:
        fields = _decode(text)
    except (msgspec.MsgspecError, UnicodeError):
        return _plain(name, text, before)
    at = moment(str(fields.get("ts", "")))
    if at is None or "event" not in fields:
        return _plain(name, text, before)
    fields.setdefault("worker", name)
    fields.setdefault("channel", str(channel_of(str(fields.get("logger", "")))))
    return Line(at, fields)


def _plain(name: str, text: str, before: float) -> Line:
    at = _plain_time(text) or before
    level = PLAIN_LEVEL.search(text)
    said = (level[1] or level[2]).lower() if level is not None else "info"
    fields = {
        "ts": f"{datetime.fromtimestamp(at).astimezone().isoformat()}",
        "level": SAME_LEVEL.get(said, said),
        "channel": "infrastructure",
        "stage": name,
        "broker": "shared",
        "worker": name,
        "correlation_id": None,
        "logger": name,
        "event": text,
    }
    return Line(at, fields)


def moment(text: str) -> float | None:
    """Epoch seconds of an ISO 8601 text; None of anything else."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def _plain_time(text: str) -> float | None:
    found = PLAIN_TIME.match(text)
    if found is not None:
        zone = "+00:00" if found["zone"] in ("UTC", "Z") else found["zone"] or ""
        return moment(f"{found['day']}T{found['time']}{zone}")
    redis = REDIS_TIME.match(text)
    if redis is None:
        return None
    return datetime.strptime(redis[1], "%d %b %Y %H:%M:%S.%f").astimezone().timestamp()
