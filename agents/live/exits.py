"""Holds an exit back while a trigger at the exchange could sell the same units."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from agents.live.protection import Protector
from agents.order_lines import about
from faust_app.runtime import metrics
from models.messages.orders import PlannedOrder
from trading.orders.state import AlarmKind

log = structlog.get_logger(__name__)
BESIDE_A_TRIGGER = "The exit goes out while a trigger at the exchange may sell the same units"


class GuardedExits:
    """`resume` is called when an exit has waited: with why it is not to be sent any more, or with an empty text."""

    def __init__(self, protector: Protector, resume: Callable[[PlannedOrder, str], None], *, broker: str) -> None:
        self._protector = protector
        self._resume = resume
        self._broker = broker
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._cleared: set[str] = set()

    def holds_back(self, order: PlannedOrder) -> bool:
        """True for an exit that waits from now on, or does already. Each waits once, and never for long."""
        if order.order_id in self._waiting:
            return True
        if not order.reduces or order.order_id in self._cleared or not self._protector.guards(order):
            return False
        self._waiting[order.order_id] = asyncio.create_task(self._wait(order), name=f"exit {order.order_id}")
        return True

    def forget(self) -> None:
        """Partitions moved: whoever has them now begins again."""
        for task in self._waiting.values():
            task.cancel()
        self._waiting.clear()
        self._cleared.clear()

    async def _wait(self, order: PlannedOrder) -> None:
        refusal = ""
        try:
            if not await self._protector.cleared(order):
                self._alarm(order, BESIDE_A_TRIGGER)
            refusal = self._protector.refusal(order)
        except Exception as error:  # no mistake in here keeps an exit back
            self._alarm(order, f"{BESIDE_A_TRIGGER}: {type(error).__name__}: {error}")
        self._waiting.pop(order.order_id, None)
        self._cleared.add(order.order_id)
        self._resume(order, refusal)

    def _alarm(self, order: PlannedOrder, text: str) -> None:
        kind = AlarmKind.TRIGGER_STANDS
        metrics.ORDER_ALARMS.labels(self._broker, kind.value).inc()
        log.error("order_alarm", **about(order), kind=kind.value, alarm=text)
