"""Builders of messages for tests of the trading core: valid by default, every field replaceable by name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from models.messages import ids
from models.messages.control import TradingState
from models.messages.orders import (
    OrderFilled,
    OrderStatus,
    OrderType,
    OrderUpdate,
    PlannedOrder,
    Product,
    Side,
    Validity,
)
from models.messages.signals import Intent, Origin, Signal
from models.messages.ticks import Level, Mode, Tick
from trading.accounting.account import new_account
from trading.market.instruments import Instrument
from trading.market.sessions import Phase
from trading.risk.exposure import Exposure
from trading.risk.limits import Limits
from trading.risk.market import MarketPicture

# 2026-11-20 10:00:00 IST, a Friday with a regular session.
NOW = 1_795_149_000
RUN = "run-1"
INFY = 408_065
KEY = "NSE:INFY"
ACCOUNT = "paper:main"
STRATEGY = "momentum"


def instrument(**changes: Any) -> Instrument:
    """Infosys on NSE: tick 0.05, lot 1, no freeze quantity."""
    values: dict[str, Any] = {
        "instrument_token": INFY,
        "exchange_token": 1594,
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "segment": "NSE",
        "instrument_type": "EQ",
        "tick_size": Decimal("0.05"),
        "lot_size": 1,
    }
    return Instrument(**{**values, **changes})


def origin(**changes: Any) -> Origin:
    """A fresh tick at 1,500 rupees."""
    values: dict[str, Any] = {
        "run_id": RUN,
        "frame_id": "frame-1",
        "instrument_token": INFY,
        "tick_sequence": 10,
        "event_time": NOW,
        "clock": NOW,
        "price": Decimal(1500),
        "received_ns": 1,
    }
    return Origin(**{**values, **changes})


def signal(intent: Intent = Intent.OPEN, **changes: Any) -> Signal:
    """An order to buy 10 at the market, unless told otherwise."""
    values: dict[str, Any] = {
        "signal_id": "signal-1",
        "account": ACCOUNT,
        "strategy": STRATEGY,
        "instrument": KEY,
        "instrument_token": INFY,
        "intent": intent,
        "origin": origin(),
    }
    if intent is Intent.OPEN:
        values |= {"side": Side.BUY, "quantity": 10}
    return Signal(**{**values, **changes})


def limit_signal(price: str, **changes: Any) -> Signal:
    """An opening signal with a limit price."""
    return signal(order_type=OrderType.LIMIT, limit_price=Decimal(price), **changes)


def limits(**changes: Any) -> Limits:
    """Limits that bind only where a test says so."""
    values: dict[str, Any] = {
        "max_order_quantity": 1_000_000,
        "max_position_quantity": 1_000_000,
        "max_order_notional": Decimal(10**12),
        "max_gross_exposure": Decimal(10**13),
        "max_open_orders": 1_000,
        "max_daily_trades": 1_000,
        "max_daily_loss": Decimal(10**12),
        "price_collar_percent": Decimal(2),
        "stale_feed_seconds": 10,
        "max_signal_age_seconds": 30,
        "duplicate_window_seconds": 1,
    }
    return Limits(**{**values, **changes})


def exposure(cash: int = 1_000_000) -> Exposure:
    """An account that has only cash, in the middle of a day."""
    return Exposure(account=new_account(ACCOUNT, Decimal(cash)), day="2026-11-20", day_start_equity=Decimal(cash))


def picture(**changes: Any) -> MarketPicture:
    """The market open, trading active, nothing marked."""
    values: dict[str, Any] = {
        "clock": NOW,
        "phase": Phase.CONTINUOUS,
        "trading_state": TradingState.ACTIVE,
        "marks": {},
    }
    return MarketPicture(**{**values, **changes})


def order(**changes: Any) -> PlannedOrder:
    """Buy 10 at the market; its id is `order-1`."""
    order_id = changes.get("order_id", "order-1")
    values: dict[str, Any] = {
        "order_id": order_id,
        "signal_id": f"signal-of-{order_id}",
        "slice_number": 0,
        "account": ACCOUNT,
        "strategy": STRATEGY,
        "instrument": KEY,
        "instrument_token": INFY,
        "side": Side.BUY,
        "quantity": 10,
        "order_type": OrderType.MARKET,
        "product": Product.MIS,
        "validity": Validity.DAY,
        "reduces": False,
        "tag": ids.order_tag(order_id),
        "event_time": NOW,
        "tick_sequence": 10,
        "run_id": RUN,
        "frame_id": "frame-1",
        "received_ns": 1,
    }
    return PlannedOrder(**{**values, **changes})


def limit_order(price: str, **changes: Any) -> PlannedOrder:
    """As `order`, with a limit price."""
    return order(order_type=OrderType.LIMIT, limit_price=Decimal(price), **changes)


def fill(planned: PlannedOrder, quantity: int, price: Decimal | int | str, **changes: Any) -> OrderFilled:
    """One fill of an order; without a cumulative quantity it is the first."""
    cumulative = changes.get("cumulative_quantity", quantity)
    values: dict[str, Any] = {
        "fill_id": ids.fill_id(planned.order_id, cumulative),
        "order": planned,
        "broker_order_id": f"broker-{planned.order_id}",
        "quantity": quantity,
        "price": Decimal(price),
        "cumulative_quantity": cumulative,
        "complete": cumulative >= planned.quantity,
        "event_time": NOW,
    }
    return OrderFilled(**{**values, **changes})


def update(status: OrderStatus, cumulative: int = 0, average: Decimal | int | str = 0, **changes: Any) -> OrderUpdate:
    """What a broker reports about `order-1`."""
    values: dict[str, Any] = {
        "order_id": "order-1",
        "broker_order_id": "broker-1",
        "status": status,
        "cumulative_quantity": cumulative,
        "average_price": Decimal(average),
        "event_time": NOW,
        "reporter": "poll",
    }
    return OrderUpdate(**{**values, **changes})


def levels(*pairs: tuple[str | int, int]) -> tuple[Level, ...]:
    """Book levels from (rupees, quantity)."""
    return tuple(Level(int(Decimal(price) * 10_000), quantity, 1) for price, quantity in pairs)


def tick(rupees: str | int = 1500, **changes: Any) -> Tick:
    """A full packet one second after `NOW`, with an empty book unless `buy` and `sell` are given."""
    values: dict[str, Any] = {
        "instrument_token": INFY,
        "sequence": 11,
        "mode": Mode.FULL,
        "tradable": True,
        "last_price_units": int(Decimal(rupees) * 10_000),
        "exchange_time": NOW + 1,
    }
    return Tick(**{**values, **changes})
