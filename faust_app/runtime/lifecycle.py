"""What a worker says of itself: ready or why not, and the way it dies."""

from __future__ import annotations

import os
import sys
import time
from typing import NoReturn

import structlog

from faust_app.runtime.logging import tell_repeated

log = structlog.get_logger(__name__)

EXIT_FAILED = 70


class WorkerState:
    """Conditions of readiness by name; a condition with a reason is not met."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {"start": "The worker is starting"}
        self.last_turn = time.monotonic()

    def degraded(self, condition: str, reason: str) -> None:
        """`condition` is not met, for `reason`; logged when it begins."""
        if condition not in self._reasons:
            log.warning("degraded", condition=condition, reason=reason)
        self._reasons[condition] = reason

    def recovered(self, condition: str) -> None:
        """`condition` is met."""
        if self._reasons.pop(condition, None) is not None:
            log.info("recovered", condition=condition)

    @property
    def reasons(self) -> dict[str, str]:
        """Conditions that are not met."""
        return dict(self._reasons)


def die(what: str, error: BaseException) -> NoReturn:
    """End the process at once, without committing: the messages come again after the restart."""
    log.critical("worker_dies", what=what, error=f"{type(error).__name__}: {error}", exc_info=error)
    tell_repeated()
    sys.stderr.flush()
    os._exit(EXIT_FAILED)
