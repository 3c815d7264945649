"""Which orders are on their way just now: they work, or something was said of them a moment ago."""

from __future__ import annotations

from collections.abc import Iterator

from trading.reconciliation.difference import Readings

Moving = frozenset[str]  # tags of ours, and numbers of the broker's


def moving_orders(readings: Readings, now: float, grace_seconds: float) -> Moving:
    """Orders that work, on either side, or have changed not longer ago than the grace."""
    names = (*_ours(readings), *_theirs(readings))
    return frozenset(name for name, at, is_open in names if is_open or now - at <= grace_seconds)


def _ours(readings: Readings) -> Iterator[tuple[str, int, bool]]:
    for tag, record in readings.orders.items():
        yield tag, max(record.updated_at, record.attempted_at), record.is_open


def _theirs(readings: Readings) -> Iterator[tuple[str, int, bool]]:
    for order in readings.broker.orders or ():
        yield order.broker_order_id, order.changed_at, not order.status.is_terminal
    for trade in readings.broker.trades or ():
        yield trade.broker_order_id, trade.traded_at, False
