"""Orders without an answer: told when one stays so, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agents.notices.words import count, some
from faust_app.runtime.notices import Notice, NoticeKind
from models.messages.orders import OrderStatus


@dataclass
class _Order:
    since: float
    is_told: bool = False


class UnknownWatch:
    """Follows the unknown orders of one account by what its broker reports."""

    def __init__(self, account: str, seconds: float) -> None:
        self._account = account
        self._seconds = seconds
        self._orders: dict[str, _Order] = {}
        self._ended: list[str] = []  # of those that were told

    def hear(self, order_id: str, status: OrderStatus, at: float) -> None:
        """A report on an order, or its end."""
        if status is OrderStatus.UNKNOWN:
            self._orders.setdefault(order_id, _Order(at))
            return
        known = self._orders.pop(order_id, None)
        if known is not None and known.is_told:
            self._ended.append(f"{order_id}: {status.value}")

    def due(self, now: float, *, is_last: bool = False) -> Iterator[Notice]:
        """A notice of the orders that have become too old, and one when all have been answered."""
        old = [order_id for order_id, order in self._orders.items() if now - order.since >= self._seconds]
        fresh = [order_id for order_id in old if not self._orders[order_id].is_told]
        if fresh:
            for order_id in fresh:
                self._orders[order_id].is_told = True
            yield self._unknown(old, now)
        elif self._ended and not old:
            ended, self._ended = self._ended, []
            yield self._answered(ended, now)

    def _unknown(self, old: list[str], now: float) -> Notice:
        broker, _, _ = self._account.partition(":")
        lines = [f"{order_id}, for {now - self._orders[order_id].since:.0f} s" for order_id in old]
        return Notice(
            kind=NoticeKind.UNKNOWN,
            subject=self._account,
            title=f"{self._account}: {count(len(old), 'order')} without an answer for {self._seconds:.0f} s",
            lines=("Nobody knows whether the broker has them:", *some(lines, "orders")),
            advice=f"alpha-panda orders --broker {broker} --status unknown, and the broker's own order book; "
            "docs/runbooks/live-trading.md",
            at=now,
            state=f"unknown {' '.join(sorted(old))}",
        )

    def _answered(self, ended: list[str], now: float) -> Notice:
        title = f"{self._account}: every order has its answer again"
        lines = some(ended, "orders")
        return Notice(
            kind=NoticeKind.UNKNOWN, subject=self._account, title=title, lines=lines, at=now, state="answered"
        )
