"""Repeats the checks beside a live engine: while one fails, entries are refused with its sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from agents.live.preflight.checks import take
from agents.live.preflight.result import Check, Result, Step
from faust_app.runtime import metrics
from faust_app.runtime.lease import awake_seconds
from faust_app.runtime.lifecycle import WorkerState

log = structlog.get_logger(__name__)
CONDITION = "preflight"
EVERY_SECONDS = 60.0
AGAIN_SECONDS = 5.0  # while a check fails
MOST_AGE_SECONDS = 300.0
NOT_YET = "Preflight has not passed yet"


class Preflight:
    """The last result of each check. `now` is a clock that goes on while the machine sleeps."""

    def __init__(
        self, steps: Sequence[Step], state: WorkerState, *, broker: str, now: Callable[[], float] = awake_seconds
    ) -> None:
        self._steps = steps
        self._state = state
        self._broker = broker
        self._now = now
        self._passed_at: float | None = None
        self._results: dict[Check, Result] = {}
        state.degraded(CONDITION, NOT_YET)

    def refusal(self) -> str:
        """Why no entry is to be sent, as a sentence; empty when nothing speaks against it."""
        failures = self._failures
        if failures:
            return f"Preflight: {failures[0].check.words}: {failures[0].sentence}"
        if self._passed_at is None:
            return NOT_YET
        age = self._now() - self._passed_at
        if age > MOST_AGE_SECONDS:
            return f"Preflight passed {age:.0f} s ago for the last time; the limit is {MOST_AGE_SECONDS:.0f} s"
        return ""

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(AGAIN_SECONDS if self._failures else EVERY_SECONDS)

    async def once(self) -> None:
        """Check everything once; each result counts as soon as it is there."""
        began = self._now()
        await asyncio.gather(*(self._take(step) for step in self._steps))
        failures = self._failures
        if failures:
            told = "; ".join(f"{one.check.words}: {one.sentence}" for one in failures)
            self._state.degraded(CONDITION, f"No entries: {told}")
            return
        self._passed_at = began
        metrics.PREFLIGHT_PASSED.labels(self._broker).set_to_current_time()
        self._state.recovered(CONDITION)

    async def _take(self, step: Step) -> None:
        for result in await take(step):
            before = self._results.get(result.check)
            self._results[result.check] = result
            metrics.PREFLIGHT_FAILED.labels(self._broker, result.check.value).set(int(result.has_failed))
            if before is None or before.outcome is not result.outcome:
                log.info("preflight", check=result.check.value, outcome=result.outcome.value, why=result.sentence)

    @property
    def _failures(self) -> list[Result]:
        return [one for check in Check if (one := self._results.get(check)) is not None and one.has_failed]
