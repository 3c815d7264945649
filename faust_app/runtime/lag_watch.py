"""Asks now and then how far a worker is behind: one that works but cannot keep up would otherwise look well."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted

from faust_app.runtime.lifecycle import WorkerState

log = structlog.get_logger(__name__)
CONDITION = "lag"
LOOK_SECONDS = 1.0
ANSWER_SECONDS = 5.0
LASTING_SECONDS = 5.0


class LagWatch:
    """Keeps the condition `lag` of a worker.

    It is not met once more than `most` messages wait for `LASTING_SECONDS` without a break, and met again when at most
    half as many do: a burst changes nothing, and neither does a backlog on its way down past the limit. `behind` says
    how many wait, None while nobody knows; it may raise what Kafka's client raises.
    """

    def __init__(
        self,
        state: WorkerState,
        behind: Callable[[], Awaitable[int | None]],
        most: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = state
        self._behind = behind
        self._most = most
        self._now = now
        self._since: float | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Look once. While Kafka does not answer everything stays as it is: that is a condition of its own."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                behind = await self._behind()
        except (TimeoutError, KafkaError, OSError, ConsumerNotStarted) as error:
            log.debug("lag_unknown", error=f"{type(error).__name__}: {error}")
            return
        self._note(behind or 0)

    def _note(self, behind: int) -> None:
        is_degraded = CONDITION in self._state.reasons
        if behind > self._most:
            self._since = self._now() if self._since is None else self._since
            if is_degraded or self._now() - self._since >= LASTING_SECONDS:
                self._state.degraded(CONDITION, f"{behind:,} messages wait to be handled; the limit is {self._most:,}")
            return
        self._since = None
        if behind <= self._most // 2:
            self._state.recovered(CONDITION)
