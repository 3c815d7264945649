"""Errors of the sandbox."""

from __future__ import annotations


class Refused(Exception):
    """Raised for a request the exchange refuses, answered with Kite's error body. `kind` is Kite's `error_type`."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
