"""Valid objects with one thing at a time to vary."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from faust_app.runtime.codec import event_time, root
from models.messages import ids
from models.messages.envelope import Envelope
from models.messages.orders import (
    CancelSubmitted,
    OrderFilled,
    OrderStatus,
    OrderType,
    OrderUpdate,
    PlannedOrder,
    Product,
    Side,
    Validity,
)
from models.messages.signals import AcceptedSignal, Intent, Origin, Signal
from models.messages.ticks import Level, Mode, Tick
from trading.accounting.account import new_account
from trading.market.instruments import Instrument
from trading.risk.exposure import Exposure
from trading.risk.limits import Limits
from trading.risk.market import MarketPicture

TOKEN = 408_065
AT = 1_787_195_700  # 2026-08-20 03:15 UTC, 08:45 IST: a Thursday
ACCOUNT = "paper:main"


def instrument(**values: Any) -> Instrument:
    """INFY on NSE."""
    defaults: dict[str, Any] = {
        "instrument_token": TOKEN,
        "exchange_token": TOKEN // 256,
        "exchange": "NSE",
        "tradingsymbol": "INFY",
        "segment": "NSE",
        "instrument_type": "EQ",
        "tick_size": Decimal("0.05"),
        "lot_size": 1,
    }
    return Instrument(**{**defaults, **values})


def levels(first: int, step: int, quantity: int = 100) -> tuple[Level, ...]:
    """Five levels from `first` on, `step` apart, in 1/10,000 rupee."""
    return tuple(Level(first + number * step, quantity, 3) for number in range(5))


def tick(price: int = 15_000_000, sequence: int = 1, at: int = AT, **values: Any) -> Tick:
    """A full tick around `price` in 1/10,000 rupee, best bid and ask 500 off."""
    defaults: dict[str, Any] = {
        "instrument_token": TOKEN,
        "sequence": sequence,
        "mode": Mode.FULL,
        "tradable": True,
        "last_price_units": price,
        "last_quantity": 10,
        "volume": 1000 + sequence,
        "exchange_time": at,
        "buy": levels(price - 500, -500),
        "sell": levels(price + 500, 500),
    }
    return Tick(**{**defaults, **values})


def origin(**values: Any) -> Origin:
    """The tick behind a signal."""
    defaults: dict[str, Any] = {
        "run_id": "run",
        "frame_id": "frame",
        "instrument_token": TOKEN,
        "tick_sequence": 1,
        "event_time": AT,
        "clock": AT,
        "price": Decimal(1500),
        "received_ns": 1,
    }
    return Origin(**{**defaults, **values})


def signal(**values: Any) -> Signal:
    """An entry of 10 at market."""
    defaults: dict[str, Any] = {
        "signal_id": "signal",
        "account": ACCOUNT,
        "strategy": "momentum",
        "instrument": "NSE:INFY",
        "instrument_token": TOKEN,
        "intent": Intent.OPEN,
        "side": Side.BUY,
        "quantity": 10,
        "origin": origin(),
    }
    return Signal(**{**defaults, **values})


def order(**values: Any) -> PlannedOrder:
    """A market order to buy 10."""
    defaults: dict[str, Any] = {
        "order_id": ids.order_id("signal", 0),
        "signal_id": "signal",
        "slice_number": 0,
        "account": ACCOUNT,
        "strategy": "momentum",
        "instrument": "NSE:INFY",
        "instrument_token": TOKEN,
        "side": Side.BUY,
        "quantity": 10,
        "order_type": OrderType.MARKET,
        "product": Product.MIS,
        "validity": Validity.DAY,
        "reduces": False,
        "tag": ids.order_tag("x"),
        "event_time": AT,
        "tick_sequence": 1,
        "run_id": "run",
        "frame_id": "frame",
        "received_ns": 1,
    }
    return PlannedOrder(**{**defaults, **values})


def limit_order(price: str, **values: Any) -> PlannedOrder:
    """A limit order to buy 10."""
    return order(order_type=OrderType.LIMIT, limit_price=Decimal(price), **values)


def decision(on: PlannedOrder, broker: str, account: str) -> Envelope[AcceptedSignal]:
    """Risk's approval of an order, in the chain of the frame behind it."""
    body = AcceptedSignal(signal_id=on.signal_id, account=account, strategy=on.strategy, orders=(on,), origin=origin())
    message_id, at = f"decision of {on.order_id}", event_time(on.event_time)
    found = root(body, message_id=message_id, broker=broker, key=account, source="risk", at=at)
    return replace(found, correlation_id=on.frame_id, trace_id=on.frame_id)


def cancel_of(order: PlannedOrder, at: int) -> CancelSubmitted:
    """The wish to cancel what rests of an order."""
    return CancelSubmitted(
        order_id=order.order_id,
        account=order.account,
        strategy=order.strategy,
        instrument=order.instrument,
        instrument_token=order.instrument_token,
        reason="test",
        event_time=at,
    )


def update(
    status: OrderStatus, cumulative: int = 0, average: str = "0", of: PlannedOrder | None = None, **values: Any
) -> OrderUpdate:
    """A broker's report."""
    defaults: dict[str, Any] = {
        "order_id": (of or order()).order_id,
        "broker_order_id": "B1",
        "status": status,
        "cumulative_quantity": cumulative,
        "average_price": Decimal(average),
        "event_time": AT + 1,
        "reporter": "paper",
    }
    return OrderUpdate(**{**defaults, **values})


def filled(of: PlannedOrder, quantity: int, price: str, cumulative: int, **values: Any) -> OrderFilled:
    """One fill of an order."""
    defaults: dict[str, Any] = {
        "fill_id": ids.fill_id(of.order_id, cumulative),
        "order": of,
        "broker_order_id": "B1",
        "quantity": quantity,
        "price": Decimal(price),
        "cumulative_quantity": cumulative,
        "complete": cumulative >= of.quantity,
        "event_time": AT + 1,
    }
    return OrderFilled(**{**defaults, **values})


def limits(**values: Any) -> Limits:
    """Wide limits."""
    defaults: dict[str, Any] = {
        "max_order_quantity": 1000,
        "max_position_quantity": 2000,
        "max_order_notional": Decimal(10_000_000),
        "max_gross_exposure": Decimal(100_000_000),
        "max_open_orders": 100,
        "max_daily_trades": 100,
        "max_order_rate": 1000,
        "order_rate_seconds": 1,
        "max_daily_loss": Decimal(50_000),
        "max_drawdown_percent": Decimal(50),
        "price_collar_percent": Decimal(2),
        "price_band_percent": Decimal(20),
        "stale_feed_seconds": 10,
        "max_signal_age_seconds": 30,
        "duplicate_window_seconds": 1,
        "equity_margin_percent": Decimal(20),
        "futures_margin_percent": Decimal(20),
        "short_option_margin_percent": Decimal(15),
    }
    return Limits(**{**defaults, **values})


def exposure() -> Exposure:
    """An account that has only cash, on the day of `AT`."""
    account = new_account(ACCOUNT, Decimal(1_000_000))
    account.day = "2026-08-20"
    return Exposure(account=account)


def market(**values: Any) -> MarketPicture:
    """An open market at `AT`."""
    from models.messages.control import TradingState
    from trading.market.sessions import Phase

    defaults: dict[str, Any] = {
        "clock": AT,
        "phase": Phase.CONTINUOUS,
        "trading_state": TradingState.ACTIVE,
        "marks": {},
    }
    return MarketPicture(**{**defaults, **values})
