"""What a check is called and what it says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum

import msgspec


class Check(StrEnum):
    """The checks, in the order they are shown."""

    SESSION = "session"
    EGRESS = "egress_address"
    INSTRUMENTS = "instruments"
    FUNDS = "funds"
    LIMITS = "limits"
    CALENDAR = "calendar"
    RECONCILIATION = "reconciliation"
    KILL_SWITCH = "kill_switch"
    CLOCK = "clock"
    LEASE = "lease"

    @property
    def words(self) -> str:
        """As people read it."""
        return self.value.replace("_", " ")


class Outcome(StrEnum):
    """How a check has ended. What is skipped keeps nothing back."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Result(msgspec.Struct, frozen=True):
    """One check's outcome and, in a sentence with values, why."""

    check: Check
    outcome: Outcome
    sentence: str

    @property
    def has_failed(self) -> bool:
        """True when live trading must not start."""
        return self.outcome is Outcome.FAILED


class Step(msgspec.Struct, frozen=True):
    """Work that ends with a result for each of its checks. It may raise: then all of them have failed."""

    checks: tuple[Check, ...]
    work: Callable[[], Awaitable[tuple[Result, ...]]]


def passed(check: Check, sentence: str) -> Result:
    """It is as it has to be."""
    return Result(check, Outcome.PASSED, sentence)


def failed(check: Check, sentence: str) -> Result:
    """It is not, or nobody can say."""
    return Result(check, Outcome.FAILED, sentence)


def skipped(check: Check, sentence: str) -> Result:
    """It could not be checked, or need not be."""
    return Result(check, Outcome.SKIPPED, sentence)
