"""Errors of the local stack.

StackFailure
├── CannotStart     something has to be mended before the stack can start; exit code 2
├── CannotStay      a process ended too often; exit code 1, with its last lines
└── StoppedEarly    somebody stopped it before everything was ready; exit code 1
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_LINE = 400


class StackFailure(Exception):
    """Base of this package's errors."""


class CannotStart(StackFailure):
    """Raised when the stack cannot start as things are."""


class StoppedEarly(StackFailure):
    """Raised when the stack was stopped before everything was ready."""


class CannotStay(StackFailure):
    """Raised when a process does not stay up."""

    def __init__(self, name: str, reason: str, lines: Sequence[str]) -> None:
        last = "\n".join(f"  {line[:LONGEST_LINE]}" for line in lines)
        super().__init__(f"{name} {reason}" + (f"; its last output was:\n{last}" if lines else ""))
