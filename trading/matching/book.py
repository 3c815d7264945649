"""The paper exchange: orders rest per instrument and are matched with the five-level books of later ticks.

An order may match from the first tick whose event time is at or after its signal's event time plus the latency,
rounded up to whole seconds, the resolution of the packets. An order that arrives late is matched with the ticks that
have passed meanwhile, as it would have been in time: fills do not depend on how fast the pipeline ran.

Fills walk the levels, one report per level at exactly its price. Beyond the visible levels a market order
pays `SLIPPAGE` more than the last level for the rest, to the paisa. Levels without a price are how packets pad a book:
an empty side has nobody to trade with, and only a tick without any book fills at its last price. A packet without a
time meets no order. A limit order that was not marketable when it could first match rests, and then fills only when a
new trade (the day's volume has risen) goes through its price or the opposite side of the book reaches it. Every order
meets the whole book: our own orders do not compete with each other, or the order of their arrival would matter.
No order outlives its day.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from models.messages.orders import OrderStatus, OrderUpdate, PlannedOrder, Side, Validity
from models.messages.ticks import Level, Tick, to_rupees, to_units
from trading.market.sessions import DAY_SECONDS, IST_SECONDS, Phase

SLIPPAGE = Decimal("0.0005")
PAISE_UNITS = 100
REPORTER = "paper"


class RestingOrder(msgspec.Struct, kw_only=True):
    """One order at the exchange. `turnover` is that of its fills, rupees.

    `run_id` and `sequence` are those of the last tick it has met, `volume` that of the last one it could match.
    """

    order: PlannedOrder
    eligible_at: int
    placed_at: int
    filled: int = 0
    turnover: Decimal = Decimal(0)
    run_id: str = ""
    sequence: int = 0
    volume: int | None = None

    @property
    def remaining(self) -> int:
        """Units that can still fill."""
        return self.order.quantity - self.filled


class PaperBook(msgspec.Struct, kw_only=True):
    """State of one instrument. `known` remembers the orders of the day, so a repeat is ignored."""

    resting: dict[str, RestingOrder] = {}
    known: dict[str, int] = {}


def broker_order_id(order_id: str) -> str:
    """The paper exchange's own number for an order, derived from its id."""
    return f"paper-{order_id.replace('-', '')[:20]}"


def place(book: PaperBook, order: PlannedOrder, passed: Iterable[Tick], latency_ms: int) -> list[OrderUpdate]:
    """Take an order in, and match it with the instrument's ticks that came after its signal's and have passed.

    A known order gives nothing.
    """
    if order.order_id in book.known:
        return []
    resting = RestingOrder(
        order=order,
        eligible_at=_eligible_at(order, latency_ms),
        placed_at=order.event_time,
        run_id=order.run_id,
        sequence=order.tick_sequence,
    )
    book.known[order.order_id] = order.event_time
    book.resting[order.order_id] = resting
    updates = [_update(resting, OrderStatus.WORKING, order.event_time, order.tick_sequence)]
    for tick in passed:
        updates += _meet(book, resting, tick, order.run_id)
        if order.order_id not in book.resting:
            break
    return updates


def _eligible_at(order: PlannedOrder, latency_ms: int) -> int:
    return order.event_time + -(-latency_ms // 1000)


def match(book: PaperBook, tick: Tick, run_id: str) -> list[OrderUpdate]:
    """Match everything that rests with one tick; orders that have met it before give nothing."""
    if not book.resting:
        return []
    return [update for resting in list(book.resting.values()) for update in _meet(book, resting, tick, run_id)]


def expire(book: PaperBook, clock: int, phase: Phase) -> list[OrderUpdate]:
    """End what the clock has run out for: TTL orders, and all orders when the market is closed or the day is over."""
    updates = []
    for resting in list(book.resting.values()):
        if _last_second(resting) <= clock:
            updates.append(_run_out(book, resting, clock))
        elif phase in (Phase.CLOSED, Phase.POST_CLOSE) and clock > resting.placed_at:
            updates.append(_end(book, resting, OrderStatus.EXPIRED, clock, 0, "The session ended"))
    return updates


def _midnight(resting: RestingOrder) -> int:
    day = (resting.placed_at + IST_SECONDS) // DAY_SECONDS
    return (day + 1) * DAY_SECONDS - IST_SECONDS


def _last_second(resting: RestingOrder) -> int:
    """The second from which the order cannot fill any more, whatever the market does."""
    midnight, order = _midnight(resting), resting.order
    return min(
        midnight, resting.placed_at + order.validity_minutes * 60 if order.validity is Validity.TTL else midnight
    )


def _run_out(book: PaperBook, resting: RestingOrder, clock: int) -> OrderUpdate:
    minutes, by_day = resting.order.validity_minutes, _last_second(resting) == _midnight(resting)
    reason = "The day ended" if by_day else f"Validity of {minutes} minutes ended"
    return _end(book, resting, OrderStatus.EXPIRED, clock, 0, reason)


def cancel(book: PaperBook, order_id: str, clock: int) -> list[OrderUpdate]:
    """Cancel what rests of an order; nothing when it does not rest."""
    resting = book.resting.get(order_id)
    return [] if resting is None else [_end(book, resting, OrderStatus.CANCELLED, clock, 0, "Cancelled on request")]


def forget_before(book: PaperBook, event_time: int) -> None:
    """Forget finished orders placed before that second."""
    book.known = {key: at for key, at in book.known.items() if at >= event_time or key in book.resting}


def _opposite(side: Side, tick: Tick) -> list[Level]:
    """The levels an order of that side trades with, best first."""
    return [level for level in (tick.sell if side is Side.BUY else tick.buy) if level.price_units]


def _pieces(side: Side, tick: Tick, quantity: int, limit_units: int | None) -> list[tuple[int, int]]:
    """(price, quantity) from the opposite side of the book, best level first, within the limit."""
    found = []
    for level in _opposite(side, tick):
        if quantity <= 0 or not _acceptable(side, level.price_units, limit_units):
            break
        taken = min(level.quantity, quantity)
        if taken:
            quantity -= taken
            found.append((level.price_units, taken))
    return found


def _beyond(side: Side, tick: Tick) -> int:
    """Price of what the visible book does not hold; 0 when nobody is there to trade with."""
    levels = _opposite(side, tick)
    if not levels:
        return 0 if _opposite(side.opposite, tick) else tick.last_price_units
    paise = levels[-1].price_units * (1 + side.sign * SLIPPAGE) / PAISE_UNITS
    rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
    return max(1, int(paise.to_integral_value(rounding))) * PAISE_UNITS


def _acceptable(side: Side, price: int, limit_units: int | None) -> bool:
    if limit_units is None:
        return True
    return price <= limit_units if side is Side.BUY else price >= limit_units


def _meet(book: PaperBook, resting: RestingOrder, tick: Tick, run_id: str) -> list[OrderUpdate]:
    """Match one order with one tick, unless it has met it before, or cannot match it any more or yet."""
    if run_id == resting.run_id and tick.sequence <= resting.sequence:
        return []
    resting.run_id, resting.sequence = run_id, tick.sequence
    if tick.exchange_time < resting.eligible_at:
        return []
    if tick.exchange_time >= _last_second(resting):
        return [_run_out(book, resting, tick.exchange_time)]
    updates = [_fill(book, resting, tick, price, quantity) for price, quantity in _trades(resting, tick)]
    resting.volume = tick.volume
    if resting.order.validity is Validity.IOC and resting.remaining:
        reason = "Immediate-or-cancel: the rest could not fill"
        updates.append(_end(book, resting, OrderStatus.CANCELLED, tick.exchange_time, tick.sequence, reason))
    return updates


def _trades(resting: RestingOrder, tick: Tick) -> list[tuple[int, int]]:
    """(price, quantity) of everything the order gets from a tick."""
    order = resting.order
    limit = None if order.limit_price is None else to_units(order.limit_price)
    pieces = _pieces(order.side, tick, resting.remaining, limit)
    left = resting.remaining - sum(quantity for _, quantity in pieces)
    price = _price_of_the_rest(resting, tick, limit)
    return [*pieces, (price, left)] if left and price else pieces


def _price_of_the_rest(resting: RestingOrder, tick: Tick, limit: int | None) -> int:
    """Price of what the levels do not give; 0 when that does not fill."""
    if limit is None:
        return _beyond(resting.order.side, tick)
    return limit if _traded_through(resting, tick, limit) else 0


def _traded_through(resting: RestingOrder, tick: Tick, limit: int) -> bool:
    if resting.volume is None or tick.volume <= resting.volume:
        return False
    side, price = resting.order.side, tick.last_price_units
    return 0 < price < limit if side is Side.BUY else price > limit


def _fill(book: PaperBook, resting: RestingOrder, tick: Tick, price_units: int, quantity: int) -> OrderUpdate:
    resting.filled += quantity
    resting.turnover += quantity * to_rupees(price_units)
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
    average = resting.turnover / resting.filled if resting.filled else Decimal(0)
    return OrderUpdate(
        order_id=resting.order.order_id,
        broker_order_id=broker_order_id(resting.order.order_id),
        status=status,
        cumulative_quantity=resting.filled,
        average_price=average.quantize(Decimal("0.000001")),
        event_time=at,
        tick_sequence=sequence,
        reporter=REPORTER,
    )
