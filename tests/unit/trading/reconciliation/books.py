"""Both sides of an account, in agreement unless something is changed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from models.messages import ids
from models.messages.orders import OrderStatus, OrderType, PlannedOrder, Product
from tests.factories import AT, order
from trading.accounting.account import Account, new_account
from trading.accounting.position import Position, position_key
from trading.orders.state import OrderRecord, submitted
from trading.reconciliation.book import (
    BrokerBook,
    BrokerFunds,
    BrokerHolding,
    BrokerOrder,
    BrokerPosition,
    BrokerTrade,
)
from trading.reconciliation.compare import compare
from trading.reconciliation.difference import Difference, Readings, Tolerances

S = OrderStatus
D = Decimal
DAY = "2026-08-20"
SENT = AT + 3_000  # long before NOW
NOW = AT + 4_000
CASH = D(1_000_000)
NUMBER = "151220000000001"
KEY = "NSE:INFY"


def plan(name: str = "one", price: str = "100", **values: Any) -> PlannedOrder:
    """A limit order to buy 10 INFY, intraday."""
    own = {"order_id": name, "tag": ids.order_tag(name), "order_type": OrderType.LIMIT, "limit_price": D(price)}
    return order(**(own | values))


def record(of: PlannedOrder | None = None, **values: Any) -> OrderRecord:
    """An order of ours that rests at the broker."""
    known = {"attempted_at": SENT, "updated_at": SENT, "status": S.WORKING, "broker_order_id": NUMBER}
    return replace(submitted(of or plan()), **(known | values))


def done(of: PlannedOrder | None = None, price: str = "100", **values: Any) -> OrderRecord:
    """An order of ours that has filled in full."""
    one = of or plan()
    return record(one, **({"status": S.FILLED, "filled_quantity": one.quantity, "average_price": D(price)} | values))


def row(of: OrderRecord, **values: Any) -> BrokerOrder:
    """The same order in the broker's book."""
    asked = of.order
    exchange, _, symbol = asked.instrument.partition(":")
    known: dict[str, Any] = {
        "broker_order_id": of.broker_order_id or NUMBER, "tag": asked.tag, "variety": "regular",
        "exchange": exchange, "tradingsymbol": symbol, "instrument_token": asked.instrument_token,
        "side": asked.side.value, "product": asked.product.value, "order_type": asked.order_type.value,
        "status": of.status, "unknown_status": "", "quantity": asked.quantity,
        "filled_quantity": of.filled_quantity, "average_price": of.average_price, "reason": "",
        "updated_at": SENT, "limit_price": asked.limit_price or D(0), "trigger_price": asked.trigger_price or D(0),
        "is_pending": False, "asked_at": 0,
    }  # fmt: skip
    return BrokerOrder(**(known | values))


def execution(of: BrokerOrder, number: str = "1", **values: Any) -> BrokerTrade:
    """All that an order has filled, in one trade."""
    known: dict[str, Any] = {
        "trade_id": number, "broker_order_id": of.broker_order_id, "exchange": of.exchange,
        "tradingsymbol": of.tradingsymbol, "side": of.side, "product": of.product, "quantity": of.filled_quantity,
        "price": of.average_price, "traded_at": SENT,
    }  # fmt: skip
    return BrokerTrade(**(known | values))


def account(**values: Any) -> Account:
    """An account that has begun the day."""
    found = new_account("zerodha:main", CASH)
    found.day = DAY
    for name, value in values.items():
        setattr(found, name, value)
    return found


def holds(
    of: Account, quantity: int, product: Product = Product.MIS, key: str = KEY, *, overnight: int = 0, t1: int = 0
) -> Account:
    """With a position at 100, of which `overnight` units were there before."""
    traded = quantity - overnight
    of.positions[position_key("momentum", key, product)] = Position(
        strategy="momentum", instrument=key, instrument_token=1, product=product, quantity=quantity,
        cost=D(100 * quantity), overnight_quantity=overnight, overnight_cost=D(100 * overnight),
        overnight_worth=D(100 * overnight), t1_quantity=t1,
        day_buy_quantity=max(traded, 0), day_buy_value=D(100 * max(traded, 0)),
        day_sell_quantity=max(-traded, 0), day_sell_value=D(100 * max(-traded, 0)),
    )  # fmt: skip
    return of


def stands(quantity: int, product: str = "MIS", key: str = KEY, *, overnight: int = 0) -> BrokerPosition:
    """A position at the broker."""
    exchange, _, symbol = key.partition(":")
    return BrokerPosition(
        exchange=exchange, tradingsymbol=symbol, product=product, quantity=quantity,
        overnight_quantity=overnight, average_price=D(100),
    )  # fmt: skip


def shares(quantity: int, t1: int = 0, key: str = KEY) -> BrokerHolding:
    """A holding at the broker."""
    exchange, _, symbol = key.partition(":")
    return BrokerHolding(
        exchange=exchange, tradingsymbol=symbol, quantity=quantity, t1_quantity=t1, average_price=D(100)
    )


def funds(net: Decimal = CASH, collateral: int = 0) -> BrokerFunds:
    """Money at the broker."""
    return BrokerFunds(net=net, cash=net, collateral=D(collateral))


def book(**values: Any) -> BrokerBook:
    """Everything was read, and there is nothing but money."""
    known: dict[str, Any] = {"orders": (), "trades": (), "positions": (), "holdings": (), "funds": funds()}
    return BrokerBook(**(known | values))


def readings(*ours: OrderRecord, broker: BrokerBook | None = None, **values: Any) -> Readings:
    """Both sides."""
    known = {"orders": {one.order.tag: one for one in ours}, "account": account(), "broker": broker or book()}
    return Readings(**(known | values))


def differences(*ours: OrderRecord, now: float = NOW, tolerances: Tolerances | None = None, **values: Any) -> list[Any]:
    """What differs."""
    return list(compare(readings(*ours, **values), now, tolerances or Tolerances()))


def only(found: list[Difference]) -> Difference:
    """The one there is."""
    (one,) = found
    return one
