"""Asks Kafka now and then whether it still answers, and whether the client's own routines still run.

A worker with nothing to send would not notice the one, and of the other nobody tells it: when a client starts while
Kafka comes back, the routine that joins the group may meet an answer without a broker and end (aiokafka 0.14,
`client.coordinator_lookup`), and the worker would wait for its partitions for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from aiokafka.errors import KafkaError

from faust_app.runtime.lifecycle import WorkerState

CONDITION = "kafka"
ASK_SECONDS = 5.0
ANSWER_SECONDS = 5.0
Routines = Iterable[tuple[str, "asyncio.Future[Any] | None"]]


class RoutineEnded(Exception):
    """A routine of a Kafka client has ended, and nothing starts it again but a new client."""


class KafkaWatch:
    """Keeps the condition `kafka` of a worker. `client` gives its aiokafka client, None before it is connected.

    `routines`: tasks by name that run as long as the worker does; None before they have begun. Another thread's may be.
    """

    def __init__(self, state: WorkerState, client: Callable[[], Any], routines: Callable[[], Routines] = tuple) -> None:
        self._state = state
        self._client = client
        self._routines = routines

    async def run(self) -> None:
        """Ask until cancelled. Raises RoutineEnded."""
        while True:
            await asyncio.sleep(ASK_SECONDS)
            self.check()
            await self.ask()

    def check(self) -> None:
        """Raise RoutineEnded when one has."""
        for name, routine in self._routines():
            if routine is not None and routine.done():
                reason = "cancelled" if routine.cancelled() else repr(routine.exception())
                raise RoutineEnded(f"{name} of the Kafka client has ended: {reason}")

    async def ask(self) -> None:
        """Ask once."""
        client = self._client()
        if client is None:
            return
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await client.fetch_all_metadata()
        except TimeoutError:
            self._state.degraded(CONDITION, f"Kafka has not answered for {ANSWER_SECONDS:.0f} s")
        except (KafkaError, OSError) as error:
            self._state.degraded(CONDITION, f"Kafka does not answer: {error}")
        else:
            self._state.recovered(CONDITION)
