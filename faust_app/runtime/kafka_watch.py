"""Asks Kafka now and then whether it still answers: a worker with nothing to send would not notice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka.errors import KafkaError

from faust_app.runtime.lifecycle import WorkerState

CONDITION = "kafka"
ASK_SECONDS = 5.0
ANSWER_SECONDS = 5.0


class KafkaWatch:
    """Keeps the condition `kafka` of a worker. `client` gives its aiokafka client, None before it is connected."""

    def __init__(self, state: WorkerState, client: Callable[[], Any]) -> None:
        self._state = state
        self._client = client

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await asyncio.sleep(ASK_SECONDS)
            await self.ask()

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
