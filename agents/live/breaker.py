"""Keeps a broker that fails from being hammered: after some failures in a row, only one call in a while for entries."""

from __future__ import annotations

from collections.abc import Callable

FAILURES = 5
OPEN_SECONDS = 30.0


class Breaker:
    """Open while the broker has failed `failures` times in a row and has not been tried since `open_seconds`."""

    def __init__(
        self, now: Callable[[], float], *, failures: int = FAILURES, open_seconds: float = OPEN_SECONDS
    ) -> None:
        self._now = now
        self._most = failures
        self._open_seconds = open_seconds
        self._failures = 0
        self._tried_at = 0.0

    @property
    def is_open(self) -> bool:
        """True when no entry is to be sent now."""
        return self._failures >= self._most and self._now() - self._tried_at < self._open_seconds

    def succeeded(self) -> None:
        """The broker gave an answer, a yes or a no."""
        self._failures = 0

    def failed(self) -> None:
        """Nobody knows what became of a call."""
        self._failures += 1
        self._tried_at = self._now()
