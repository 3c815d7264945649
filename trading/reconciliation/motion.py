"""What is on its way just now: orders that work or have just changed, and the instruments they are in."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trading.reconciliation.difference import Readings


class Motion(msgspec.Struct, frozen=True):
    """Names of what may differ for a moment: tags and broker's numbers of orders, and instruments."""

    orders: frozenset[str]
    instruments: frozenset[str]

    def has(self, *names: str) -> bool:
        """True when one of the orders or instruments is in motion."""
        return any(name in self.orders or name in self.instruments for name in names)

    @property
    def has_any(self) -> bool:
        """True when anything is."""
        return bool(self.orders)


def motion_of(readings: Readings, now: float, grace_seconds: float) -> Motion:
    """What works, on either side, or has changed not longer ago than the grace."""
    orders, instruments = set(), set()
    for name, instrument, at, is_open in (*_of_ours(readings), *_of_theirs(readings)):
        if is_open or now - at <= grace_seconds:
            orders.add(name)
            instruments.add(instrument)
    return Motion(frozenset(orders), frozenset(instruments))


def _of_ours(readings: Readings) -> Iterator[tuple[str, str, int, bool]]:
    for tag, record in readings.orders.items():
        yield tag, record.order.instrument, max(record.updated_at, record.attempted_at), record.is_open


def _of_theirs(readings: Readings) -> Iterator[tuple[str, str, int, bool]]:
    for order in readings.broker.orders or ():
        yield order.broker_order_id, order.instrument, order.changed_at, not order.status.is_terminal
    for trade in readings.broker.trades or ():
        yield trade.broker_order_id, trade.instrument, trade.traded_at, False
