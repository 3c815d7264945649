"""Errors of this package."""

from __future__ import annotations

from pathlib import Path


class BadRecording(Exception):
    """Raised when a recording cannot be used; names the file and, unless it is 0, the line."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        where = f"{path}" if not line else f"{path} line {line}"
        super().__init__(f"{where}: {reason}")
