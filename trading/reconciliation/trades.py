"""The broker's trades against its own book and ours: they have to add up to what each of our orders has filled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trading.orders.state import OrderRecord
from trading.reconciliation.book import ZERO, Area, BrokerOrder, BrokerTrade
from trading.reconciliation.difference import Difference, Readings, Tolerances
from trading.reconciliation.kinds import DifferenceKind as K
from trading.reconciliation.motion import Moving
from trading.reconciliation.orders import NOTHING, Matched, difference_of, is_in_motion


def trade_differences(
    readings: Readings, matched: Matched, moving: Moving, tolerances: Tolerances
) -> Iterator[Difference]:
    """All of the trades' differences. A trade's number counts once per order: exchanges number apart."""
    book, by_order = readings.broker, _by_order(readings.broker.trades or ())
    for record, order in matched.pairs:
        if order is None:
            continue
        trades = by_order.get(order.broker_order_id, [])
        unique = list({trade.trade_id: trade for trade in trades}.values())
        is_moving = is_in_motion(record, order, moving)
        if len(unique) != len(trades):
            yield difference_of(K.TRADE_DOUBLED, record.order, len(unique), len(trades), is_moving=is_moving)
        yield from _terms(record, order, unique, is_moving=is_moving)
        if book.has_all(Area.TRADES):
            yield from _sums(record, order, unique, tolerances, is_moving=is_moving)
    if book.has_all(Area.ORDERS):
        known = {order.broker_order_id for order in book.orders or ()}
        for number in sorted(by_order.keys() - known):
            yield _unknown(number, by_order[number], is_moving=number in moving)


def _by_order(trades: Sequence[BrokerTrade]) -> dict[str, list[BrokerTrade]]:
    found: dict[str, list[BrokerTrade]] = {}
    for trade in trades:
        found.setdefault(trade.broker_order_id, []).append(trade)
    return found


def _terms(
    record: OrderRecord, order: BrokerOrder, trades: Sequence[BrokerTrade], *, is_moving: bool
) -> Iterator[Difference]:
    asked = f"{order.side} {order.instrument} {order.product}"
    other = [told for trade in trades if (told := f"{trade.side} {trade.instrument} {trade.product}") != asked]
    if other:
        yield difference_of(K.TRADE_TERMS, record.order, asked, other[0], is_moving=is_moving)


def _sums(
    record: OrderRecord,
    order: BrokerOrder,
    trades: Sequence[BrokerTrade],
    tolerances: Tolerances,
    *,
    is_moving: bool,
) -> Iterator[Difference]:
    total = sum(trade.quantity for trade in trades)
    if total != order.filled_quantity:
        yield difference_of(K.TRADE_QUANTITY, record.order, order.filled_quantity, total, is_moving=is_moving)
    elif total and total == record.filled_quantity and not _is_off(record, order, tolerances):
        average = sum((trade.quantity * trade.price for trade in trades), ZERO) / total
        if abs(average - record.average_price) > tolerances.price:
            yield difference_of(
                K.TRADE_AVERAGE, record.order, record.average_price, f"{average:.4f}", is_moving=is_moving
            )


def _is_off(record: OrderRecord, order: BrokerOrder, tolerances: Tolerances) -> bool:
    """True when the order's own average is a difference already."""
    return abs(record.average_price - order.average_price) > tolerances.price


def _unknown(number: str, trades: Sequence[BrokerTrade], *, is_moving: bool) -> Difference:
    theirs = ", ".join(f"{one.side} {one.quantity} {one.product} at {one.price}" for one in trades)
    return Difference(
        kind=K.TRADE_UNKNOWN_ORDER,
        subject=number,
        instrument=trades[0].instrument,
        ours=NOTHING,
        theirs=theirs,
        is_moving=is_moving,
    )
