"""Orders and trades as Kite writes them: the keys and types of its answers, order updates included."""

from __future__ import annotations

from typing import Any

from sandbox.clock import ist, stamp
from sandbox.money import number, rupees
from sandbox.orders import Order, Trade
from sandbox.sessions import USER_ID
from sandbox.vocabulary import Status, Variety

APP_ID = 1


def order_body(order: Order) -> dict[str, Any]:
    """One order, or one state of its history."""
    terms = order.terms
    body: dict[str, Any] = {
        "account_id": USER_ID,
        "placed_by": USER_ID,
        "order_id": order.order_id,
        "exchange_order_id": order.exchange_order_id,
        "parent_order_id": order.parent_order_id,
        "status": order.status.value,
        "status_message": order.message,
        "status_message_raw": order.message,
        "order_timestamp": stamp(order.requested_at),
        "exchange_update_timestamp": _stamp_or_none(order.updated_at),
        "exchange_timestamp": _stamp_or_none(order.exchange_at),
        "variety": terms.variety.value,
        "modified": order.modifications > 0,
        "exchange": terms.instrument.exchange,
        "tradingsymbol": terms.instrument.tradingsymbol,
        "instrument_token": terms.instrument.instrument_token,
        "order_type": terms.order_type.value,
        "transaction_type": terms.side.value,
        "validity": terms.validity.value,
        "validity_ttl": terms.validity_ttl,
        "product": terms.product.value,
        "quantity": terms.quantity,
        "disclosed_quantity": terms.disclosed_quantity,
        "price": rupees(terms.price),
        "trigger_price": rupees(terms.trigger_price),
        "average_price": rupees(order.average_price),
        "filled_quantity": order.filled_quantity,
        "pending_quantity": order.pending_quantity,
        "cancelled_quantity": order.cancelled_quantity,
        "market_protection": number(terms.market_protection),
        "meta": order.meta,
        "tag": terms.tag,
        "guid": f"sandbox-{order.order_id}",
    }
    if order.tags:
        body["tags"] = list(order.tags)
    if terms.variety is Variety.AUCTION:
        body["auction_number"] = terms.auction_number
    return body


def update_body(order: Order, status: Status) -> dict[str, Any]:
    """An order update: the order without `modified`. Its checksum is blank on the WebSocket."""
    own = {"user_id": USER_ID, "unfilled_quantity": order.pending_quantity, "app_id": APP_ID, "checksum": ""}
    body = own | order_body(order) | {"status": status.value}
    del body["modified"]
    return body


def trade_body(trade: Trade) -> dict[str, Any]:
    """One execution. The time of its order is a time of day only."""
    terms = trade.order.terms
    return {
        "trade_id": trade.trade_id,
        "order_id": trade.order.order_id,
        "exchange": terms.instrument.exchange,
        "tradingsymbol": terms.instrument.tradingsymbol,
        "instrument_token": terms.instrument.instrument_token,
        "product": terms.product.value,
        "average_price": rupees(trade.price),
        "quantity": trade.quantity,
        "exchange_order_id": trade.order.exchange_order_id,
        "transaction_type": terms.side.value,
        "fill_timestamp": stamp(trade.at),
        "order_timestamp": ist(trade.order.placed_at).strftime("%H:%M:%S"),
        "exchange_timestamp": stamp(trade.at),
    }


def _stamp_or_none(at: float | None) -> str | None:
    return None if at is None else stamp(at)
