"""Reads a live broker's order book: what it says of our orders, whose silence it ends, and which are not ours.

Reports pushed on the socket may be lost, late or twice; the book is what counts. An order whose call had no answer is
looked for by its tag. When the book, asked well after the call, does not have it, the broker never took it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import structlog

from brokers.zerodha.mapping import BadRow, read_order, update_of
from models.messages.orders import OrderStatus, OrderUpdate
from trading.orders.state import OrderRecord
from trading.orders.triggers import is_of_trigger
from trading.reconciliation.book import BrokerOrder

log = structlog.get_logger(__name__)
REPORTER = "poll"
NEVER_TAKEN = "The broker's order book does not have it"
Row = dict[str, Any]
S = OrderStatus
SILENT = (S.SUBMITTED, S.UNKNOWN)


class Seen(msgspec.Struct, frozen=True):
    """What one reading of the book found.

    `reports` change one of our orders. `foreign` are of others on the account; `doubled` have a tag that another order
    of the book has, too. `unread` rows cannot be read.
    """

    reports: tuple[OrderUpdate, ...]
    foreign: tuple[BrokerOrder, ...]
    doubled: tuple[BrokerOrder, ...]
    unread: int
    risen: tuple[OrderUpdate, ...] = ()


def compare(
    rows: Iterable[Row], ours: Mapping[str, OrderRecord], *, asked_at: int, now: int, patience_seconds: int
) -> Seen:
    """Compare the book, asked for at `asked_at`, with our orders by tag, those of triggers by the broker's number.

    Pure; raises nothing.
    """
    untagged = {one.broker_order_id: one for one in ours.values() if is_of_trigger(one.order)}
    reports, foreign, doubled, risen, unread = [], [], [], [], 0
    found: set[str] = set()
    for row in rows:
        try:
            order = read_order(row)
        except BadRow as error:
            log.warning("broker_order_unreadable", error=str(error))
            unread += 1
            continue
        record = ours.get(order.tag) if order.tag else untagged.get(order.broker_order_id)
        if record is None:
            foreign.append(order)
        elif _is_another(record, order) or record.order.tag in found:
            doubled.append(order)
        else:
            found.add(record.order.tag)
            update = update_of(order, record.order.order_id, REPORTER)
            if is_news(record, order):
                reports.append(update)
            if record.reason == NEVER_TAKEN and not order.status.is_terminal:
                risen.append(update)
    if not unread:  # a row that cannot be read may be the one that is looked for
        silent = (record for tag, record in ours.items() if tag not in found and record.status in SILENT)
        reports += [
            _never_taken(record, now)
            for record in silent
            if record.attempted_at and not record.broker_order_id and asked_at - record.attempted_at >= patience_seconds
        ]
    return Seen(tuple(reports), tuple(foreign), tuple(doubled), unread, tuple(risen))


def _is_another(record: OrderRecord, order: BrokerOrder) -> bool:
    return bool(record.broker_order_id) and record.broker_order_id != order.broker_order_id


def is_news(record: OrderRecord, order: BrokerOrder) -> bool:
    """True when the book says more of an order than we know."""
    if order.filled_quantity > record.filled_quantity or not record.broker_order_id:
        return True
    if record.status.is_terminal:
        return False
    return record.status in SILENT or order.status.is_terminal


def _never_taken(record: OrderRecord, now: int) -> OrderUpdate:
    return OrderUpdate(
        order_id=record.order.order_id,
        broker_order_id="",
        status=S.REJECTED,
        cumulative_quantity=0,
        average_price=record.average_price,
        reason=NEVER_TAKEN,
        event_time=now,
        reporter=REPORTER,
    )
