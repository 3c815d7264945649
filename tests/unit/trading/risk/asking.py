"""A strategy asks, risk answers: what the tests of risk have in common."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from models.messages.orders import OrderFailed, OrderStatus, PlannedOrder, Product, Side
from models.messages.signals import AcceptedSignal, DeniedSignal, Intent, Signal
from tests.factories import AT, exposure, filled, instrument, limits, market, order, signal
from trading.accounting.contracts import contract_of
from trading.market.instruments import Instrument
from trading.risk.chain import decide
from trading.risk.exposure import Exposure, OpenOrder, Standing, apply_fill, reserve
from trading.risk.limits import Limits
from trading.risk.market import MarketPicture

KEY = "NSE:INFY"
Answer = str | list[tuple[Side, int, bool]]


def holding(
    quantity: int,
    product: Product = Product.MIS,
    *,
    price: str = "1500",
    strategy: str = "momentum",
    of: Instrument | None = None,
    into: Exposure | None = None,
) -> Exposure:
    """An account in which the strategy holds so much."""
    found, traded = into or exposure(), of or instrument()
    side = Side.BUY if quantity > 0 else Side.SELL
    name = f"{strategy}-{traded.key}-{product}-{quantity}"
    bought = order(
        order_id=name,
        quantity=abs(quantity),
        side=side,
        product=product,
        strategy=strategy,
        instrument=traded.key,
        instrument_token=traded.instrument_token,
    )
    apply_fill(found, filled(bought, abs(quantity), price, abs(quantity), event_time=AT - 60), traded)
    return found


def working(found: Exposure, side: Side, quantity: int, *, of: Instrument | None = None, **values: Any) -> None:
    """Add an order that has not filled yet, at 1,500 rupees."""
    traded = of or instrument()
    defaults: dict[str, Any] = {
        "strategy": "momentum",
        "instrument": traded.key,
        "product": Product.MIS,
        "side": side,
        "remaining": quantity,
        "reserve_price": Decimal(1500),
        "contract": contract_of(traded),
    }
    found.open_orders[f"working-{len(found.open_orders)}"] = OpenOrder(**{**defaults, **values})


def standing(
    found: Exposure, strategy: str = "momentum", product: Product | None = None, at: int = AT + 10**6
) -> Standing:
    """Units of one product (before second `at`), or of all."""
    of_product, everywhere = found.standings(strategy, KEY, product or Product.MIS, at)
    return everywhere if product is None else of_product


def entry(**values: Any) -> Signal:
    """Buy 10 at the market."""
    return signal(**values)


def close(**values: Any) -> Signal:
    """Leave the position."""
    return signal(intent=Intent.CLOSE, side=None, quantity=None, **values)


def target(quantity: int, **values: Any) -> Signal:
    """Hold so much."""
    return signal(intent=Intent.TARGET, side=None, quantity=None, target_quantity=quantity, **values)


def answer(
    wish: Signal,
    found: Exposure | None = None,
    limit: Limits | None = None,
    picture: MarketPicture | None = None,
    of: Instrument | None = None,
    own: Limits | None = None,
) -> AcceptedSignal | DeniedSignal:
    """The decision."""
    return decide(wish, found or exposure(), limit or limits(), picture or market(), of or instrument(), own)


def ask(wish: Signal, *circumstances: Any, **named: Any) -> Answer:
    """The code of a denial, or (side, quantity, reduces) of each order."""
    result = answer(wish, *circumstances, **named)
    return result.code if isinstance(result, DeniedSignal) else [brief(one) for one in result.orders]


def brief(one: PlannedOrder) -> tuple[Side, int, bool]:
    """What an order does."""
    return one.side, one.quantity, one.reduces


def accept(
    found: Exposure,
    wish: Signal,
    of: Instrument | None = None,
    limit: Limits | None = None,
    picture: MarketPicture | None = None,
) -> tuple[PlannedOrder, ...]:
    """Decide and reserve; the orders."""
    result = answer(wish, found, limit, picture, of)
    assert isinstance(result, AcceptedSignal), result
    reserve(found, result, of or instrument())
    return result.orders


def failed(one: PlannedOrder, done: int = 0, **values: Any) -> OrderFailed:
    """The end of an order of which so much had filled."""
    defaults: dict[str, Any] = {
        "order": one,
        "broker_order_id": "B1",
        "outcome": OrderStatus.CANCELLED,
        "filled_quantity": done,
        "reason": "",
        "event_time": AT,
    }
    return OrderFailed(**{**defaults, **values})


def future(**values: Any) -> Instrument:
    """NIFTY's August future, lot 65."""
    defaults: dict[str, Any] = {
        "instrument_token": 2_000_130,
        "exchange_token": 7_813,
        "exchange": "NFO",
        "tradingsymbol": "NIFTY26AUGFUT",
        "name": "NIFTY",
        "segment": "NFO-FUT",
        "instrument_type": "FUT",
        "tick_size": Decimal("0.1"),
        "lot_size": 65,
    }
    return Instrument(**{**defaults, **values})


def option(**values: Any) -> Instrument:
    """NIFTY's 25,000 call, lot 65."""
    return future(
        **{
            "tradingsymbol": "NIFTY26AUG25000CE",
            "segment": "NFO-OPT",
            "instrument_type": "CE",
            "strike": Decimal(25_000),
            "tick_size": Decimal("0.05"),
            **values,
        }
    )


def of(one: Instrument, **values: Any) -> dict[str, Any]:
    """The fields by which a signal or an order names an instrument."""
    return {"instrument": one.key, "instrument_token": one.instrument_token, **values}
