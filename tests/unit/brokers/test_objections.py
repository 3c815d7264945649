"""The last look before a call: what an order must have from today's instruments, and what an exit is spared."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from brokers.zerodha.mapping import order_fields
from brokers.zerodha.objections import objection, objection_to
from models.messages.orders import OrderType, PlannedOrder, Product
from tests.factories import TOKEN, instrument, limit_order, order
from trading.market.instruments import InstrumentRegistry

TODAY = date(2026, 8, 20)
FUTURE = instrument(
    instrument_token=7, exchange="NFO", tradingsymbol="NIFTY26AUGFUT", segment="NFO-FUT", instrument_type="FUT",
    lot_size=65, tick_size=Decimal("0.1"), name="NIFTY",
)  # fmt: skip
INDEX = instrument(
    instrument_token=9, tradingsymbol="NIFTY 50", segment="INDICES", tick_size=Decimal(0), lot_size=0
)  # fmt: skip
REGISTRY = InstrumentRegistry((instrument(), FUTURE, INDEX), {"NSE": TODAY, "NFO": TODAY})


def future(**values: Any) -> PlannedOrder:
    named = {"instrument": FUTURE.key, "instrument_token": 7, "quantity": 65, "product": Product.NRML}
    return order(**{**named, **values})


def stop(**prices: str) -> PlannedOrder:
    return order(order_type=OrderType.SL, **{name: Decimal(price) for name, price in prices.items()})


@pytest.mark.parametrize(
    "fitting",
    [
        order(),
        order(order_type=OrderType.SL_M, trigger_price=Decimal("1500.05")),
        limit_order("1500.05"),
        stop(limit_price="1500.10", trigger_price="1500.05"),
        future(),
        future(quantity=130, order_type=OrderType.LIMIT, limit_price=Decimal("24000.3")),
        order(reduces=True),
    ],
)
def test_an_order_made_from_the_listed_instrument_passes(fitting: PlannedOrder) -> None:
    assert objection(fitting, REGISTRY, TODAY) == ""


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (order(instrument="NSE:GONE"), "NSE:GONE is not among the loaded instruments"),
        (order(instrument="BSE:INFY"), "BSE:INFY is not among the loaded instruments"),
        (order(instrument_token=8), f"the token 8; NSE:INFY has the token {TOKEN}"),
        (order(instrument_token=7), f"the token 7; NSE:INFY has the token {TOKEN}"),
        (order(instrument="NSE:NIFTY 50", instrument_token=9), "NSE:NIFTY 50 is not traded"),
        (order(product=Product.NRML), "NSE:INFY is traded as CNC or MIS, not as NRML"),
        (future(product=Product.CNC), "is traded as MIS or NRML, not as CNC"),
        (future(quantity=64), "A quantity of 64 is no multiple of the lot of 65 of NFO:NIFTY26AUGFUT"),
        (future(quantity=66), "66 is no multiple"),
        (limit_order("1500.01"), "A price of 1500.01 is off the tick of 0.05 of NSE:INFY"),
        (stop(limit_price="1500.10", trigger_price="1500.04"), "A trigger price of 1500.04 is off the tick of 0.05"),
        (stop(limit_price="1500.11", trigger_price="1500.05"), "A price of 1500.11 is off the tick"),
    ],
)
def test_an_entry_that_does_not_fit_is_refused_with_what_is_wrong(wrong: PlannedOrder, words: str) -> None:
    assert words in objection(wrong, REGISTRY, TODAY)


@pytest.mark.parametrize("protection", [None, "0"])
@pytest.mark.parametrize("kind", [OrderType.MARKET, OrderType.SL_M])
def test_market_order_without_protection_is_refused(kind: OrderType, protection: str | None) -> None:
    one = order(order_type=kind, trigger_price=None if kind is OrderType.MARKET else Decimal("1500.05"))
    fields = {name: value for name, value in order_fields(one).items() if name != "market_protection"}
    if protection is not None:
        fields["market_protection"] = protection
    assert f"A {kind.value} order without protection is rejected" in objection_to(one, fields, REGISTRY, TODAY)


def test_what_is_sent_counts_not_what_was_meant() -> None:
    one = limit_order("1500.05")
    assert objection_to(one, {**order_fields(one), "tradingsymbol": "GONE"}, REGISTRY, TODAY)
    assert objection_to(one, {**order_fields(one), "price": "1500.051"}, REGISTRY, TODAY)


@pytest.mark.parametrize(
    "exit_order",
    [
        limit_order("1500.01", reduces=True),
        order(instrument_token=8, reduces=True),
        order(product=Product.NRML, reduces=True),
    ],
)
def test_an_exit_that_kite_may_take_passes(exit_order: PlannedOrder) -> None:
    assert objection(exit_order, REGISTRY, TODAY) == ""


@pytest.mark.parametrize("exit_order", [order(instrument="NSE:GONE", reduces=True), future(quantity=64, reduces=True)])
@pytest.mark.parametrize("days", [{"NSE": date(2026, 8, 19), "NFO": date(2026, 8, 19)}, {}])
def test_an_exit_kite_is_certain_to_refuse_is_refused_by_todays_instruments_only(
    exit_order: PlannedOrder, days: dict[str, date]
) -> None:
    assert objection(exit_order, REGISTRY, TODAY)
    assert objection(exit_order, InstrumentRegistry(REGISTRY, days), TODAY) == ""
