"""Follows a live broker's order book: at a start, after every doubt, and every few seconds while orders work."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

import structlog

from agents.live.calls import Cancel
from agents.live.poller import Seen, compare
from agents.order_lines import about
from brokers.errors import BrokerFailure, SessionRefused
from faust_app.runtime import metrics
from faust_app.runtime.lifecycle import WorkerState
from models.messages.orders import OrderUpdate, PlannedOrder
from trading.orders.state import AlarmKind, OrderRecord

log = structlog.get_logger(__name__)
CONDITION = "order book"
BUSY_SECONDS = 2.0
QUIET_SECONDS = 10.0
PATIENCE_SECONDS = 30
Row = dict[str, Any]


class Reads(Protocol):
    """The broker's book."""

    async def orders(self) -> list[Row]:
        """Every order of the day. Raises SessionRefused, BrokerFailure."""


class BookWatch:
    """`now` is the broker's time in seconds.

    `records` are our orders; `report` is durable when it returns; `offer` lets a cancel wait for its turn.
    """

    def __init__(
        self,
        reads: Reads,
        records: Callable[[], Iterable[OrderRecord]],
        report: Callable[[OrderUpdate], Awaitable[None]],
        offer: Callable[[Cancel], None],
        state: WorkerState,
        *,
        broker: str,
        now: Callable[[], float],
    ) -> None:
        self._reads = reads
        self._records = records
        self._report = report
        self._offer = offer
        self._state = state
        self._broker = broker
        self._now = now
        self._news = asyncio.Event()

    def look(self) -> None:
        """There is a doubt: read the book now."""
        self._news.set()

    async def run(self) -> None:
        """Read the book until cancelled; a broker that does not answer is asked again."""
        while True:
            self._news.clear()
            try:
                await self.once()
                self._state.recovered(CONDITION)
            except SessionRefused:
                self._state.degraded(CONDITION, "The broker does not accept the session")
            except BrokerFailure as error:
                self._state.degraded(CONDITION, f"The broker's order book cannot be read: {error}")
            busy = any(record.is_open for record in self._records())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BUSY_SECONDS if busy else QUIET_SECONDS):
                    await self._news.wait()

    async def once(self) -> Seen:
        """Read the book, report what is new, ask again for cancels that have not come through."""
        asked_at = int(self._now())
        rows = await self._reads.orders()
        ours = {record.order.tag: record for record in self._records()}
        seen = compare(rows, ours, asked_at=asked_at, now=int(self._now()), patience_seconds=PATIENCE_SECONDS)
        for update in seen.reports:
            await self._report(update)
        for record in ours.values():
            if record.cancel_wanted and record.is_open and record.broker_order_id:
                self._offer(Cancel(record.order.order_id, record.broker_order_id, record.order.frame_id))
        by_id = {record.order.order_id: record.order for record in ours.values()}
        for update in seen.risen:
            self._offer(Cancel(update.order_id, update.broker_order_id, by_id[update.order_id].frame_id))
        self._tell(seen, by_id)
        return seen

    def _tell(self, seen: Seen, by_id: Mapping[str, PlannedOrder]) -> None:
        metrics.ORDERS_FOREIGN.labels(self._broker).set(len(seen.foreign))
        metrics.ORDERS_DOUBLED.labels(self._broker).set(len(seen.doubled))
        metrics.BROKER_ROWS_UNREADABLE.labels(self._broker).inc(seen.unread)
        for update in seen.risen:
            metrics.ORDER_ALARMS.labels(self._broker, AlarmKind.RISEN.value).inc()
            order = by_id[update.order_id]
            log.error("order_given_up_works", **about(order), broker_order_id=update.broker_order_id)
        for other in seen.doubled:
            log.error("order_doubled", broker_order_id=other.broker_order_id, tag=other.tag)
