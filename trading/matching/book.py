"""The paper exchange: orders rest per instrument and are matched with the five-level books of later ticks.

An order may match from the first tick whose event time is at or after its signal's event time plus the latency,
rounded up to whole seconds, the resolution of the packets. An order that arrives late is matched with the ticks that
have passed meanwhile, as it would have been in time: fills do not depend on how fast the pipeline ran.

Fills walk the levels, one report per level at exactly its price. Beyond the visible levels a market order
pays `SLIPPAGE` more than the last level for the rest. A tick without a book (a quote packet) fills at its last price.
A limit order that was not marketable when it could first match rests, and then fills only when a trade goes through
its price or the opposite side of the book reaches it. Every order meets the whole book: our own orders do not
compete with each other, or the order of their arrival would matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from models.messages.orders import OrderStatus, OrderType, OrderUpdate, PlannedOrder, Side, Validity
from models.messages.ticks import Tick, to_rupees, to_units
from trading.market.sessions import Phase

SLIPPAGE = Decimal("0.0005")
PAISE_UNITS = 100
REPORTER = "paper"


class RestingOrder(msgspec.Struct, kw_only=True):
    """One order at the exchange. `notional_units` is the turnover so far in 1/10,000 rupee.

    `has_met` is set once it has met a tick: only a later trade can go through its price.
    """

    order: PlannedOrder
    eligible_at: int
    placed_at: int
    filled: int = 0
    notional_units: int = 0
    has_met: bool = False

    @property
    def remaining(self) -> int:
        """Units that can still fill."""
        return self.order.quantity - self.filled


class PaperBook(msgspec.Struct, kw_only=True):
    """State of one instrument. `known` remembers the orders of the day, so a repeat is ignored."""

    resting: dict[str, RestingOrder] = {}
    known: dict[str, int] = {}
    run_id: str = ""
    sequence: int = 0


def broker_order_id(order_id: str) -> str:
    """The paper exchange's own number for an order, derived from its id."""
    return f"paper-{order_id.replace('-', '')[:20]}"


def place(book: PaperBook, order: PlannedOrder, passed: Iterable[Tick], latency_ms: int) -> list[OrderUpdate]:
    """Take an order in, and match it with the instrument's ticks that came after its signal's and have passed.

    A known order gives nothing.
    """
    if order.order_id in book.known:
        return []
    resting = RestingOrder(order=order, eligible_at=_eligible_at(order, latency_ms), placed_at=order.event_time)
    book.known[order.order_id] = order.event_time
    book.resting[order.order_id] = resting
    updates = [_update(resting, OrderStatus.WORKING, order.event_time, order.tick_sequence)]
    for tick in passed:
        if order.order_id not in book.resting:
            break
        if tick.sequence > order.tick_sequence:
            updates += _match_order(book, resting, tick)
    return updates


def _eligible_at(order: PlannedOrder, latency_ms: int) -> int:
    return order.event_time + -(-latency_ms // 1000)


def match(book: PaperBook, tick: Tick, run_id: str) -> list[OrderUpdate]:
    """Match everything that rests with one tick; ticks that were matched before give nothing."""
    if not book.resting:
        return []
    if run_id == book.run_id and tick.sequence <= book.sequence:
        return []
    book.run_id, book.sequence = run_id, tick.sequence
    updates: list[OrderUpdate] = []
    for resting in list(book.resting.values()):
        if resting.order.run_id != run_id or tick.sequence > resting.order.tick_sequence:
            updates += _match_order(book, resting, tick)
    return updates


def expire(book: PaperBook, clock: int, phase: Phase) -> list[OrderUpdate]:
    """End what the clock has run out for: TTL orders, and day orders when the market is closed."""
    updates = []
    for resting in list(book.resting.values()):
        if _ttl_end(resting) <= clock:
            updates.append(_end_ttl(book, resting))
        elif phase in (Phase.CLOSED, Phase.POST_CLOSE) and clock > resting.placed_at:
            updates.append(_end(book, resting, OrderStatus.EXPIRED, clock, 0, "The session ended"))
    return updates


def _ttl_end(resting: RestingOrder) -> float:
    order = resting.order
    return resting.placed_at + order.validity_minutes * 60 if order.validity is Validity.TTL else float("inf")


def _end_ttl(book: PaperBook, resting: RestingOrder) -> OrderUpdate:
    at, minutes = int(_ttl_end(resting)), resting.order.validity_minutes
    return _end(book, resting, OrderStatus.EXPIRED, at, 0, f"Validity of {minutes} minutes ended")


def cancel(book: PaperBook, order_id: str, clock: int) -> list[OrderUpdate]:
    """Cancel what rests of an order; nothing when it does not rest."""
    resting = book.resting.get(order_id)
    return [] if resting is None else [_end(book, resting, OrderStatus.CANCELLED, clock, 0, "Cancelled on request")]


def forget_before(book: PaperBook, event_time: int) -> None:
    """Forget finished orders placed before that second."""
    book.known = {key: at for key, at in book.known.items() if at >= event_time or key in book.resting}


def _pieces(side: Side, tick: Tick, quantity: int, limit_units: int | None) -> list[tuple[int, int]]:
    """(price, quantity) from the opposite side of the book, best level first, within the limit."""
    found = []
    for level in tick.sell if side is Side.BUY else tick.buy:
        if quantity <= 0 or not _acceptable(side, level.price_units, limit_units):
            break
        taken = min(level.quantity, quantity)
        if taken:
            quantity -= taken
            found.append((level.price_units, taken))
    return found


def _beyond(side: Side, tick: Tick) -> int:
    """Price of what the visible book does not hold."""
    levels = tick.sell if side is Side.BUY else tick.buy
    if not levels:
        return tick.last_price_units
    price = levels[-1].price_units
    moved = price + side.sign * int(price * SLIPPAGE)
    return max(PAISE_UNITS, moved // PAISE_UNITS * PAISE_UNITS)


def _acceptable(side: Side, price: int, limit_units: int | None) -> bool:
    if limit_units is None:
        return True
    return price <= limit_units if side is Side.BUY else price >= limit_units


def _match_order(book: PaperBook, resting: RestingOrder, tick: Tick) -> list[OrderUpdate]:
    order = resting.order
    if tick.exchange_time < resting.eligible_at:
        return []
    if tick.exchange_time >= _ttl_end(resting):
        return [_end_ttl(book, resting)]
    limit = None if order.limit_price is None else to_units(order.limit_price)
    pieces = _pieces(order.side, tick, resting.remaining, limit)
    left = resting.remaining - sum(quantity for _, quantity in pieces)
    if left and order.order_type is OrderType.MARKET:
        pieces.append((_beyond(order.side, tick), left))
    elif left and limit is not None and resting.has_met and _traded_through(order.side, tick, limit):
        pieces.append((limit, left))
    resting.has_met = True
    updates = [_fill(book, resting, tick, price, quantity) for price, quantity in pieces]
    if order.validity is Validity.IOC and order.order_id in book.resting:
        reason = "Immediate-or-cancel: the rest could not fill"
        updates.append(_end(book, resting, OrderStatus.CANCELLED, tick.exchange_time, tick.sequence, reason))
    return updates


def _traded_through(side: Side, tick: Tick, limit: int) -> bool:
    if not tick.last_quantity:
        return False
    return tick.last_price_units < limit if side is Side.BUY else tick.last_price_units > limit


def _fill(book: PaperBook, resting: RestingOrder, tick: Tick, price_units: int, quantity: int) -> OrderUpdate:
    resting.filled += quantity
    resting.notional_units += quantity * price_units
    status = OrderStatus.PARTIALLY_FILLED
    if not resting.remaining:
        status = OrderStatus.FILLED
        del book.resting[resting.order.order_id]
    update = _update(resting, status, tick.exchange_time, tick.sequence)
    return msgspec.structs.replace(update, fill_price=to_rupees(price_units), fill_quantity=quantity)


def _end(
    book: PaperBook, resting: RestingOrder, status: OrderStatus, at: int, sequence: int, reason: str
) -> OrderUpdate:
    del book.resting[resting.order.order_id]
    return msgspec.structs.replace(_update(resting, status, at, sequence), reason=reason)


def _update(resting: RestingOrder, status: OrderStatus, at: int, sequence: int) -> OrderUpdate:
    average = Decimal(resting.notional_units) / resting.filled if resting.filled else Decimal(0)
    return OrderUpdate(
        order_id=resting.order.order_id,
        broker_order_id=broker_order_id(resting.order.order_id),
        status=status,
        cumulative_quantity=resting.filled,
        average_price=average.scaleb(-4).quantize(Decimal("0.000001")),
        event_time=at,
        tick_sequence=sequence,
        reporter=REPORTER,
    )
