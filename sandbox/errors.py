"""Errors of the sandbox.

SandboxError
├── Refused       a request the exchange refuses; answered with Kite's error body
└── BadScenario   a scenario file that cannot be used; the operator has to change it
"""

from __future__ import annotations


class SandboxError(Exception):
    """Base of this package's errors."""


class Refused(SandboxError):
    """Raised for a request the exchange refuses. `kind` is Kite's `error_type`."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class BadScenario(SandboxError):
    """Raised when a scenario file cannot be used, with one sentence that says why."""


def invalid(message: str) -> Refused:
    """What Kite answers to an input it does not take."""
    return Refused(400, "InputException", message)
