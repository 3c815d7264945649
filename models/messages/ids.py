"""Deterministic ids: the same content, redelivered or replayed, has the same id."""

from __future__ import annotations

import base64
import hashlib
from uuid import UUID, uuid5

NAMESPACE = UUID("6f0b8f57-2a3e-5c1d-9b84-5d1c7a1f0e42")
TAG_LENGTH = 20


def _derive(kind: str, *parts: str | int) -> str:
    return str(uuid5(NAMESPACE, "\x1f".join((kind, *map(str, parts)))))


def signal_id(run_id: str, strategy: str, broker: str, instrument_token: int, tick_sequence: int, leg: int) -> str:
    """Id of a signal."""
    return _derive("signal", run_id, strategy, broker, instrument_token, tick_sequence, leg)


def decision_id(signal: str) -> str:
    """Id of the risk manager's decision on a signal."""
    return _derive("decision", signal)


def order_id(signal: str, slice_number: int) -> str:
    """Id of one slice of an accepted signal."""
    return _derive("order", signal, slice_number)


def order_event_id(kind: str, order: str) -> str:
    """Id of an event an order has at most once: `submitted`, `acknowledged`, `failed`."""
    return _derive(kind, order)


def update_id(order: str, status: str, cumulative_quantity: int) -> str:
    """Id of a report on an order; a repeated report has the same one."""
    return _derive("update", order, status, cumulative_quantity)


def fill_id(order: str, cumulative_quantity: int) -> str:
    """Id of the fill that brought the order to `cumulative_quantity`."""
    return _derive("fill", order, cumulative_quantity)


def snapshot_id(account: str, cause: str) -> str:
    """Id of the portfolio snapshot that `cause` (a fill, or a mark's run and second) led to."""
    return _derive("snapshot", account, cause)


def order_tag(order: str) -> str:
    """Kite `tag` of an order: 20 characters of [A-Z2-7], derived from the order id alone."""
    digest = hashlib.sha256(order.encode()).digest()
    return base64.b32encode(digest).decode()[:TAG_LENGTH]
