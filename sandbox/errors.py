"""Errors of the sandbox.

SandboxFailure
├── BadRecording    a file to replay cannot be used; names file and line
└── Refused         a request is answered with Kite's error body
"""

from __future__ import annotations

from pathlib import Path


class SandboxFailure(Exception):
    """Base of this package's errors."""


class BadRecording(SandboxFailure):
    """Raised when a recording cannot be read."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        where = f"{path}" if not line else f"{path} line {line}"
        super().__init__(f"{where}: {reason}")


class Refused(SandboxFailure):
    """Raised for a request the exchange refuses. `kind` is Kite's `error_type`."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
