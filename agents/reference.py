"""Reference data a stage needs before its first message: instruments, limits, strategies, from PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from faust_app.runtime.app import Worker
from faust_app.runtime.errors import TransientError
from faust_app.runtime.reference_data import ReferenceData

Loaded = TypeVar("Loaded")
AGAIN_SECONDS = 1.0


class Reference:
    """Loads from PostgreSQL, for as long as it takes; the worker is not ready meanwhile."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.data = ReferenceData(worker.settings)

    async def load(self, what: str, query: Callable[[], Awaitable[Loaded]]) -> Loaded:
        """The result of `query`, tried until PostgreSQL answers."""
        while True:
            try:
                found = await query()
            except TransientError as error:
                self._worker.state.degraded("reference", f"Cannot load {what}: {error}")
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                self._worker.state.recovered("reference")
                return found
