"""Order updates on their way to the sockets: queued when something happens, sent after the answer to the call."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from sandbox.bodies import update_body
from sandbox.fault_kinds import Kind
from sandbox.faults import Faults
from sandbox.orders import Order
from sandbox.vocabulary import Status


class Updates:
    """The queue, with the faults an update can suffer. `send` gives a text to every connection."""

    def __init__(self, faults: Faults, send: Callable[[str], Awaitable[None]]) -> None:
        self._faults = faults
        self._send = send
        self._queue: list[dict[str, Any]] = []
        self._held: list[dict[str, Any]] = []

    def publish(self, order: Order, status: Status) -> None:
        """Something has happened to an order."""
        body = update_body(order, status)
        key = order.terms.instrument.key
        if self._faults.strike(Kind.UPDATE_LOST, key):
            return
        if self._faults.strike(Kind.UPDATE_REORDERED, key):
            self._held.append(body)
            return
        self._queue.append(body)
        if self._faults.strike(Kind.UPDATE_DUPLICATED, key):
            self._queue.append(body)
        if status is Status.COMPLETE and self._faults.strike(Kind.UPDATE_AFTER_COMPLETE, key):
            self._queue.append(_earlier(body))
        self._queue += self._held
        self._held.clear()

    @property
    def is_waiting(self) -> bool:
        """True when there is something to send."""
        return bool(self._queue)

    async def flush(self) -> None:
        """Send what is waiting."""
        while self._queue:
            await self._send(json.dumps({"type": "order", "data": self._queue.pop(0)}))


def _earlier(body: dict[str, Any]) -> dict[str, Any]:
    """What a partial fill before the end would have said."""
    filled = body["quantity"] // 2
    left = body["quantity"] - filled
    changed = {"status": Status.UPDATE.value, "filled_quantity": filled}
    return body | changed | {"pending_quantity": left, "unfilled_quantity": left}
