"""Our orders against the broker's book."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from models.messages.ids import has_tag_form
from models.messages.orders import OrderStatus, PlannedOrder
from trading.orders.state import OrderRecord
from trading.orders.triggers import is_of_trigger
from trading.reconciliation.book import ZERO, Area, BrokerOrder
from trading.reconciliation.difference import Difference, Readings, Tolerances
from trading.reconciliation.kinds import DifferenceKind as K
from trading.reconciliation.motion import Moving

S = OrderStatus
NOTHING = "-"


class Matched(msgspec.Struct, frozen=True):
    """The broker's orders by what they are to us. Each of ours is with the one that is it, or with None."""

    pairs: tuple[tuple[OrderRecord, BrokerOrder | None], ...]
    doubled: tuple[tuple[OrderRecord, BrokerOrder], ...]
    unrecorded: tuple[BrokerOrder, ...]
    foreign: tuple[BrokerOrder, ...]


def match_orders(ours: Mapping[str, OrderRecord], theirs: Iterable[BrokerOrder]) -> Matched:
    """Find ours by their tag; of several with one tag, by the number the broker gave it, or the first.

    Orders of triggers have no tag there, and are found by their number.
    """
    untagged = {one.broker_order_id: tag for tag, one in ours.items() if is_of_trigger(one.order)}
    same_tag: dict[str, list[BrokerOrder]] = {}
    unrecorded, foreign = [], []
    for order in {one.broker_order_id: one for one in theirs}.values():
        tag = order.tag or untagged.get(order.broker_order_id, "")
        if tag in ours:
            same_tag.setdefault(tag, []).append(order)
        elif has_tag_form(order.tag):
            unrecorded.append(order)
        else:
            foreign.append(order)
    pairs, doubled = [], []
    for tag, record in ours.items():
        found = same_tag.get(tag, [])
        own = next((one for one in found if record.broker_order_id in {"", one.broker_order_id}), None)
        pairs.append((record, own))
        doubled += [(record, one) for one in found if one is not own]
    return Matched(tuple(pairs), tuple(doubled), tuple(unrecorded), tuple(foreign))


def difference_of(kind: K, order: PlannedOrder, ours: object, theirs: object, *, is_moving: bool) -> Difference:
    """A difference of one of our orders."""
    return Difference(
        kind=kind,
        subject=order.order_id,
        instrument=order.instrument,
        ours=str(ours),
        theirs=str(theirs),
        is_moving=is_moving,
    )


def is_in_motion(record: OrderRecord, order: BrokerOrder | None, moving: Moving) -> bool:
    """True when either side's order is."""
    return record.order.tag in moving or (order is not None and order.broker_order_id in moving)


def order_differences(
    readings: Readings, matched: Matched, moving: Moving, now: float, tolerances: Tolerances
) -> Iterator[Difference]:
    """All of the orders' differences. Pure; raises nothing."""
    is_whole = readings.broker.has_all(Area.ORDERS)
    for record, order in matched.pairs:
        is_moving = is_in_motion(record, order, moving)
        for kind, ours, theirs in _pair(record, order, now, tolerances, is_whole=is_whole):
            yield difference_of(kind, record.order, ours, theirs, is_moving=is_moving)
    for record, order in matched.doubled:
        subject = f"{record.order.order_id}#{order.broker_order_id}"
        ours, is_moving = record.broker_order_id or NOTHING, order.broker_order_id in moving
        yield _difference(K.ORDER_DOUBLED, subject, order, ours, is_moving=is_moving)
    for kind, orders in ((K.ORDER_UNRECORDED, matched.unrecorded), (K.ORDER_FOREIGN, matched.foreign)):
        for order in orders:
            is_moving = order.broker_order_id in moving
            yield _difference(kind, order.broker_order_id, order, NOTHING, is_moving=is_moving)


def _pair(
    record: OrderRecord, order: BrokerOrder | None, now: float, tolerances: Tolerances, *, is_whole: bool
) -> Iterator[tuple[K, object, object]]:
    if order is None:
        if is_whole and _has_to_be_there(record, now - tolerances.patience_seconds):
            yield K.ORDER_MISSING, _standing(record.status, record.filled_quantity), NOTHING
        return
    if not _may_be_there(record):
        yield K.ORDER_NEVER_SENT, record.status.value, _standing(order.status, order.filled_quantity)
        return
    yield from _terms(record.order, order)
    yield from _fills(record, order, tolerances)
    yield from _status(record, order, now, tolerances)


def _has_to_be_there(record: OrderRecord, patience_began: float) -> bool:
    """An order without an answer may still be on its way to the broker."""
    is_late = record.is_open and 0 < record.attempted_at <= patience_began
    return bool(record.broker_order_id) or is_late


def _may_be_there(record: OrderRecord) -> bool:
    return bool(record.broker_order_id or record.attempted_at)


def _terms(asked: PlannedOrder, order: BrokerOrder) -> Iterator[tuple[K, object, object]]:
    """Order type and protection are left out: a protected market order comes back as a limit order."""
    pairs = [
        (K.ORDER_INSTRUMENT, asked.instrument, order.instrument),
        (K.ORDER_SIDE, asked.side.value, order.side),
        (K.ORDER_PRODUCT, asked.product.value, order.product),
        (K.ORDER_QUANTITY, asked.quantity, order.quantity),
    ]
    yield from ((kind, ours, theirs) for kind, ours, theirs in pairs if ours != theirs)
    limit, trigger = asked.limit_price, asked.trigger_price
    if (limit is not None and limit != order.limit_price) or (trigger is not None and trigger != order.trigger_price):
        yield K.ORDER_PRICE, _prices(limit, trigger), _prices(order.limit_price, order.trigger_price)


def _prices(limit: object, trigger: object) -> str:
    return f"limit {limit or NOTHING}, trigger {trigger or NOTHING}"


def _fills(record: OrderRecord, order: BrokerOrder, tolerances: Tolerances) -> Iterator[tuple[K, object, object]]:
    ours, theirs = record.filled_quantity, order.filled_quantity
    if ours != theirs:
        yield K.ORDER_FILLED_MORE if theirs > ours else K.ORDER_FILLED_LESS, ours, theirs
    elif ours and abs(record.average_price - order.average_price) > tolerances.price:
        yield K.ORDER_AVERAGE, record.average_price, order.average_price


def _status(
    record: OrderRecord, order: BrokerOrder, now: float, tolerances: Tolerances
) -> Iterator[tuple[K, object, object]]:
    ours, theirs = record.status, order.status
    if order.unknown_status:
        yield K.ORDER_STATUS_UNKNOWN, ours.value, order.unknown_status
    elif record.filled_quantity != order.filled_quantity and S.FILLED in {ours, theirs}:
        return  # the status follows from the quantity
    elif ours.is_terminal is not theirs.is_terminal:
        yield K.ORDER_ALIVE if ours.is_terminal else K.ORDER_ENDED, ours.value, theirs.value
    elif ours.is_terminal and _end(ours) is not _end(theirs):
        yield K.ORDER_ENDED_OTHERWISE, ours.value, theirs.value
    elif order.is_pending and now - order.changed_at > tolerances.stuck_seconds:
        yield K.ORDER_STUCK, ours.value, f"on its way since {order.changed_at}"


def _end(status: OrderStatus) -> OrderStatus:
    """Brokers have no word of their own for an order that has run out."""
    return S.CANCELLED if status is S.EXPIRED else status


def _standing(status: OrderStatus, filled: int) -> str:
    return f"{status.value}, {filled} filled"


def _difference(kind: K, subject: str, order: BrokerOrder, ours: str, *, is_moving: bool) -> Difference:
    """Of an order that is not ours: what it has filled is what matters, not how far it has got."""
    price = f" at {order.average_price}" if order.average_price > ZERO else ""
    theirs = f"{order.side} {order.filled_quantity} of {order.quantity} {order.product}{price}, {order.status.value}"
    return Difference(
        kind=kind, subject=subject, instrument=order.instrument, ours=ours, theirs=theirs, is_moving=is_moving
    )
