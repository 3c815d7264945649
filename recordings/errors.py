"""Errors of this package."""

from __future__ import annotations

from pathlib import Path


class BadRecording(Exception):
    """Raised when a recording cannot be used; `line` 0 means the whole file."""

    def __init__(self, file: Path, line: int, reason: str) -> None:
        where = f"{file}:{line}" if line else str(file)
        super().__init__(f"{where}: {reason}")
