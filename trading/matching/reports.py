"""What the paper exchange reports of its orders, as a real broker would."""

from __future__ import annotations

from decimal import Decimal

from models.messages.orders import OrderStatus, OrderUpdate
from models.messages.ticks import Tick, to_rupees
from trading.matching.book import PaperBook, RestingOrder
from trading.matching.liquidity import Piece

REPORTER = "paper"
MICRO = Decimal("0.000001")
NOTHING = Decimal(0)
S = OrderStatus


def broker_order_id(order_id: str) -> str:
    """The paper exchange's own number for an order, derived from its id."""
    return f"paper-{order_id.replace('-', '')[:20]}"


def fills(book: PaperBook, resting: RestingOrder, tick: Tick, pieces: list[Piece]) -> list[OrderUpdate]:
    """Fill an order with pieces of a tick, one report each; a full order rests no more."""
    updates = []
    for price_units, quantity in pieces:
        price = to_rupees(price_units)
        resting.filled += quantity
        resting.turnover += quantity * price
        status = S.PARTIALLY_FILLED if resting.remaining else S.FILLED
        updates.append(report(resting, status, tick.exchange_time, tick.sequence, price, quantity))
    if not resting.remaining:
        del book.resting[resting.order.order_id]
    return updates


def end(
    book: PaperBook, resting: RestingOrder, status: OrderStatus, at: int, reason: str, sequence: int = 0
) -> OrderUpdate:
    """End an order with what it has filled."""
    del book.resting[resting.order.order_id]
    return report(resting, status, at, sequence, reason=reason)


def report(
    resting: RestingOrder,
    status: OrderStatus,
    at: int,
    sequence: int,
    price: Decimal | None = None,
    quantity: int = 0,
    reason: str = "",
) -> OrderUpdate:
    """Where an order stands; `price` and `quantity` are those of the fill the report is of."""
    return OrderUpdate(
        order_id=resting.order.order_id,
        broker_order_id=broker_order_id(resting.order.order_id),
        status=status,
        cumulative_quantity=resting.filled,
        average_price=price if price is not None and quantity == resting.filled else _average(resting),
        fill_price=price,
        fill_quantity=quantity,
        reason=reason,
        event_time=at,
        tick_sequence=sequence,
        reporter=REPORTER,
    )


def _average(resting: RestingOrder) -> Decimal:
    return (resting.turnover / resting.filled).quantize(MICRO) if resting.filled else NOTHING
