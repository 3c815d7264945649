"""What the metrics say of a live engine between its calls: unknown orders, calls left, session, breaker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from redis.exceptions import RedisError

from agents.live.breaker import Breaker
from agents.live.poller import SILENT
from brokers.zerodha.session import SessionView
from faust_app.runtime import metrics
from faust_app.runtime.exchange_clock import ExchangeClock
from faust_app.runtime.order_budget import OrderBudget
from trading.orders.state import OrderRecord

EVERY_SECONDS = 1.0


class Figures:
    """Sets gauges once a second. `records` are our orders."""

    def __init__(
        self,
        records: Callable[[], Iterable[OrderRecord]],
        budget: OrderBudget,
        session: SessionView,
        breaker: Breaker,
        clock: ExchangeClock,
        *,
        broker: str,
    ) -> None:
        self._records = records
        self._budget = budget
        self._session = session
        self._breaker = breaker
        self._clock = clock
        self._broker = broker

    async def run(self) -> None:
        """Set them until cancelled."""
        while True:
            self._show_unknown()
            metrics.SESSION_EXPIRES.labels(self._broker).set(self._session.expires_at)
            metrics.BREAKER_OPEN.labels(self._broker).set(int(self._breaker.is_open))
            await self._show_budget()
            await asyncio.sleep(EVERY_SECONDS)

    def _show_unknown(self) -> None:
        """The broker's clock dates an attempt; the metric is of the wall clock, as all are."""
        attempts = [one.attempted_at for one in self._records() if one.attempted_at and one.status in SILENT]
        metrics.ORDERS_UNKNOWN.labels(self._broker).set(len(attempts))
        since = self._clock.wall() - (self._clock.seconds() - min(attempts)) if attempts else 0
        metrics.ORDERS_UNKNOWN_SINCE.labels(self._broker).set(since)

    async def _show_budget(self) -> None:
        """While Redis is away nobody knows: the last figures stay, and DependencyDown tells why."""
        try:
            left = await self._budget.left(datetime.now(UTC))
        except (RedisError, OSError, TimeoutError):
            return
        for window, calls in left.items():
            metrics.ORDER_CALLS_LEFT.labels(self._broker, window).set(calls)
