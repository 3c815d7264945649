"""Plays a market: waits for subscribers, then sends every batch at its time on the sped-up clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum

from sandbox.hub import Hub
from sandbox.market import Batch, Market

SETTLE_SECONDS = 0.5


class Stage(StrEnum):
    """Where the session stands."""

    WAITING = "waiting"  # for the first subscription
    OPEN = "open"
    FINISHED = "finished"  # only heartbeats from here on


class Player:
    """The exchange's clock. It starts once subscriptions have been quiet for half a second, so nobody misses a tick."""

    def __init__(
        self,
        market: Market,
        hub: Hub,
        *,
        speed: float,
        autostart: bool,
        begin_at: int,
        end_at: int,
        on_batch: Callable[[Batch], Awaitable[None]] | None = None,
    ) -> None:
        self._market = market
        self._hub = hub
        self._speed = speed
        self._autostart = autostart
        self._begin_at, self._end_at = begin_at, end_at
        self._on_batch = on_batch
        self.stage = Stage.WAITING
        self.clock = float(max(market.session_start, begin_at))

    async def play(self) -> None:
        """The whole session, once."""
        if not self._autostart:
            await self._wait_for_subscribers()
        self.stage = Stage.OPEN
        loop = asyncio.get_running_loop()
        started, zero = loop.time(), self.clock
        for batch in self._market.batches():
            if batch.at < self._begin_at:
                await asyncio.sleep(0)
                continue
            if batch.at >= self._end_at:
                break
            due = started + (batch.at - zero) / self._speed
            delay = due - loop.time()
            await asyncio.sleep(delay if delay > 0.0005 else 0)  # also when late: requests are answered meanwhile
            started += max(0.0, -delay - 1.0)  # after a stall of more than a second the clock goes on, it does not race
            await self._send(batch)
        self.stage = Stage.FINISHED

    async def _send(self, batch: Batch) -> None:
        self.clock = batch.at
        if self._on_batch is not None:
            await self._on_batch(batch)
        await self._hub.broadcast(batch.ticks, wait=self._market.waits_for_clients)

    async def _wait_for_subscribers(self) -> None:
        changed = self._hub.changed
        while True:
            await changed.wait()
            changed.clear()
            try:
                async with asyncio.timeout(SETTLE_SECONDS):
                    await changed.wait()
            except TimeoutError:
                if self._hub.subscriptions:
                    return
