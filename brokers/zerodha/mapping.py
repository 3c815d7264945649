"""Our orders in Kite's words, and Kite's rows in ours. Kite's times are naive IST; its prices are JSON numbers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from brokers.zerodha.statuses import read_status
from models.messages.orders import OrderType, OrderUpdate, PlannedOrder, Validity
from models.messages.validation import LATEST_SECOND, MAX_MONEY, MAX_QUANTITY
from trading.market.sessions import IST
from trading.reconciliation.book import BrokerOrder

REGULAR = "regular"
LONGEST_TEXT = 300
LONGEST_NUMBER = 64
MICRO = Decimal("0.000001")
PROTECTED = (OrderType.MARKET, OrderType.SL_M)
Row = dict[str, Any]


class BadRow(ValueError):
    """Raised for a row of the broker that lacks what is needed or holds what cannot be."""


def order_fields(order: PlannedOrder) -> Row:
    """Parameters of Kite's place_order but for the variety. Prices go as text: they stay exact."""
    exchange, _, symbol = order.instrument.partition(":")
    fields: Row = {
        "exchange": exchange,
        "tradingsymbol": symbol,
        "transaction_type": order.side.value,
        "quantity": order.quantity,
        "product": order.product.value,
        "order_type": order.order_type.value,
        "validity": order.validity.value,
        "tag": order.tag,
    }
    if order.limit_price is not None:
        fields["price"] = str(order.limit_price)
    if order.trigger_price is not None:
        fields["trigger_price"] = str(order.trigger_price)
    if order.validity is Validity.TTL:
        fields["validity_ttl"] = order.validity_minutes
    if order.order_type in PROTECTED:
        fields["market_protection"] = str(order.market_protection)
    return fields


def read_order(row: Row) -> BrokerOrder:
    """One order of the book or of an update on the socket. Raises BadRow."""
    reading = read_status(read_text(row, "status"))
    filled, quantity = read_count(row, "filled_quantity"), read_count(row, "quantity")
    asked_at = read_time(row.get("order_timestamp"))
    return BrokerOrder(
        broker_order_id=_read_number(row),
        tag=read_text(row, "tag"),
        variety=read_text(row, "variety") or REGULAR,
        exchange=read_text(row, "exchange"),
        tradingsymbol=read_text(row, "tradingsymbol"),
        instrument_token=read_count(row, "instrument_token"),
        side=read_text(row, "transaction_type"),
        product=read_text(row, "product"),
        order_type=read_text(row, "order_type"),
        status=reading.status,
        unknown_status=reading.unknown[:LONGEST_TEXT],
        quantity=quantity,
        filled_quantity=filled,
        average_price=read_decimal(row, "average_price"),
        reason=read_text(row, "status_message")[:LONGEST_TEXT],
        updated_at=read_time(row.get("exchange_update_timestamp")) or asked_at,
        limit_price=read_decimal(row, "price"),
        trigger_price=read_decimal(row, "trigger_price"),
        is_pending=reading.is_pending,
        asked_at=asked_at,
    )


def update_of(order: BrokerOrder, order_id: str, reporter: str) -> OrderUpdate:
    """The report that concerns one of our orders. Without a time of the broker's it counts as oldest."""
    return OrderUpdate(
        order_id=order_id,
        broker_order_id=order.broker_order_id,
        status=order.status,
        cumulative_quantity=order.filled_quantity,
        average_price=order.average_price,
        reason=order.reason,
        event_time=order.updated_at,
        unknown_status=order.unknown_status,
        reporter=reporter,
    )


def is_number(found: Any) -> bool:
    """True for what can be an order's number: digits so far, never long."""
    return isinstance(found, str) and found.isascii() and found.isalnum() and len(found) <= LONGEST_NUMBER


def _read_number(row: Row) -> str:
    found = row.get("order_id")
    if not is_number(found):
        raise BadRow("order_id is no number of an order")
    return str(found)


def read_time(value: Any) -> int:
    """Epoch second of one of Kite's times; 0 for none, and for what is none."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return 0
    if not isinstance(value, datetime):
        return 0
    try:
        second = int((value if value.tzinfo else value.replace(tzinfo=IST)).timestamp())
    except (OverflowError, ValueError):
        return 0
    return second if 0 <= second <= LATEST_SECOND else 0


def read_decimal(row: Row, name: str) -> Decimal:
    """A price or an amount in rupees, to six places; 0 where there is none. Raises BadRow."""
    value = row.get(name)
    if value is None or value == "":
        return Decimal(0)
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise BadRow(f"{name} is no number")
    try:
        found = Decimal(str(value))
    except InvalidOperation as error:
        raise BadRow(f"{name} is no number") from error
    if not found.is_finite() or abs(found) > MAX_MONEY:
        raise BadRow(f"{name} is beyond all bounds")
    return found.quantize(MICRO) if found.as_tuple().exponent < -6 else found  # type: ignore[operator]


def read_quantity(row: Row, name: str) -> int:
    """Units, negative for short; 0 where there are none. Raises BadRow."""
    value = row.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_QUANTITY:
        raise BadRow(f"{name} is no quantity")
    if value != int(value):
        raise BadRow(f"{name} is no whole quantity")
    return int(value)


def read_count(row: Row, name: str) -> int:
    """Units, never negative; 0 where there are none. Raises BadRow."""
    found = read_quantity(row, name)
    if found < 0:
        raise BadRow(f"{name} is negative")
    return found


def read_text(row: Row, name: str, *, required: bool = False) -> str:
    """A text; empty where there is none, unless it is required. Raises BadRow."""
    value = row.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value):
        raise BadRow(f"{name} is no text")
    return value
