"""Positions, holdings and funds after fills, conversions and nights."""

from __future__ import annotations

from fractions import Fraction

import pytest

from sandbox.errors import Refused
from sandbox.rules import PlantedFunds, PlantedPosition
from sandbox.vocabulary import Product, Side
from tests.floor import Floor

RUPEE = 10_000
HELD = [{"instrument": "NSE:INFY", "quantity": 10, "average_price": 900}]


@pytest.fixture
def floor() -> Floor:
    found = Floor(rules={"opening_cash": 100_000})
    found.tick(1000)
    return found


def test_round_trip_realises_its_profit_and_frees_the_margin(floor: Floor) -> None:
    floor.place(quantity=10, price=1000.05)
    floor.tick(1010)
    funds = floor.broker.account.funds()
    assert (funds.margin.var, funds.unrealised) == (Fraction(200_010_000, 10), 995_000)
    floor.place("SELL", 10, 1009.95)
    funds = floor.broker.account.funds()
    assert (funds.realised, funds.unrealised, funds.margin.total) == (990_000, 0, 0)
    assert funds.net == 100_099 * RUPEE


def test_delivery_purchase_costs_its_full_value_and_becomes_a_holding_overnight(floor: Floor) -> None:
    floor.place(quantity=10, price=1000.05, product="CNC")
    assert floor.broker.account.funds().net == 100_000 * RUPEE - 10 * 10_000_500
    assert floor.broker.account.holdings == []
    floor.broker.account.roll_day()
    (holding,) = floor.broker.account.holdings
    assert (holding.quantity, holding.t1_quantity, holding.average_price) == (0, 10, 10_000_500)
    assert floor.broker.account.positions == []
    floor.broker.account.roll_day()
    assert (holding.quantity, holding.t1_quantity) == (10, 0)
    assert floor.broker.account.funds().net == 100_000 * RUPEE - 10 * 10_000_500


def test_sale_of_holdings_uses_them_up() -> None:
    floor = Floor(rules={"opening_cash": 0}, account={"holdings": HELD})
    floor.tick(1000)
    floor.place("SELL", 4, 999.95, product="CNC")
    account = floor.broker.account
    (holding,) = account.holdings
    assert (account.used_quantity(holding), floor.position(product="CNC").quantity) == (4, -4)
    assert account.funds().net == 4 * 9_999_500 * Fraction(4, 5)
    account.roll_day()
    (holding,) = account.holdings
    assert (holding.quantity, holding.average_price, account.funds().net) == (6, 900 * RUPEE, 4 * 9_999_500)


def test_sale_of_all_holdings_leaves_none() -> None:
    floor = Floor(account={"holdings": HELD})
    floor.tick(1000)
    floor.place("SELL", 10, 999.95, product="CNC")
    floor.broker.account.roll_day()
    assert floor.broker.account.holdings == []


def test_closing_order_needs_no_margin(floor: Floor) -> None:
    floor.place(quantity=499, price=1000.05)
    assert floor.place(quantity=10, price=1000).status == "REJECTED"
    assert floor.place("SELL", 499, 1001).status == "OPEN"
    assert floor.place("SELL", 499, 1001).status == "REJECTED"  # the first one closes it already


def test_orders_block_margin_for_what_goes_beyond_closing(floor: Floor) -> None:
    floor.place(quantity=10, price=1000.05)
    held = floor.broker.account.funds().margin.var
    for _ in range(2):
        floor.place("SELL", 6, 1001)
    assert floor.broker.account.funds().margin.var == held + 2 * 1001 * RUPEE * Fraction(1, 5)


def test_contracts_block_span_and_exposure_and_bought_options_their_premium() -> None:
    floor = Floor()
    floor.tick(24_000, "NIFTY26AUGFUT")
    floor.tick(100, "NIFTY26AUG24000CE")
    contract = {"exchange": "NFO", "product": "NRML", "quantity": 65}
    floor.place(price=23_990, tradingsymbol="NIFTY26AUGFUT", **contract)
    value = 65 * 23_990 * RUPEE
    margin = floor.broker.account.funds().margin
    assert (margin.span, margin.exposure) == (value * Fraction(12, 100), value * Fraction(3, 100))
    floor.place(price=99, tradingsymbol="NIFTY26AUG24000CE", **contract)
    assert floor.broker.account.funds().margin.option_premium == 65 * 99 * RUPEE
    floor.place("SELL", price=105, tradingsymbol="NIFTY26AUG24000CE", **contract)
    assert floor.broker.account.funds().margin.span == (value + 65 * 24_000 * RUPEE) * Fraction(12, 100)


def test_contract_is_carried_over_with_its_profit_settled() -> None:
    floor = Floor(rules={"opening_cash": 1_000_000})
    floor.tick(24_000, "NIFTY26AUGFUT")
    contract = {"exchange": "NFO", "product": "MIS", "tradingsymbol": "NIFTY26AUGFUT"}
    floor.place(quantity=130, price=24_000.05, **contract)
    floor.tick(24_100, "NIFTY26AUGFUT")
    floor.place("SELL", quantity=65, price=24_099.95, **contract)
    floor.broker.account.roll_day()
    position = floor.position("NIFTY26AUGFUT", "NRML")
    assert (position.overnight_quantity, position.day_quantity) == (65, 0)
    assert position.average_price == 240_000_500
    assert floor.broker.account.funds().opening == 1_000_000 * RUPEE + 65 * 999_000


def test_conversion_moves_a_part_at_the_average_price(floor: Floor) -> None:
    floor.place(quantity=10, price=1000.05)
    infy = floor.instrument("INFY")
    floor.broker.account.convert(infy, Side.BUY, 4, Product.MIS, Product.CNC)
    assert (floor.position().quantity, floor.position(product="CNC").quantity) == (6, 4)
    assert floor.position(product="CNC").average_price == 10_000_500
    for quantity, side, new in ((7, Side.BUY, Product.CNC), (1, Side.SELL, Product.CNC), (1, Side.BUY, Product.MIS)):
        with pytest.raises(Refused):
            floor.broker.account.convert(infy, side, quantity, Product.MIS, new)


def test_overnight_position_is_converted_as_such(floor: Floor) -> None:
    planted = PlantedPosition(instrument="NSE:INFY", product=Product.MIS, quantity=-10, average_price=1000)
    infy = floor.instrument("INFY")
    floor.broker.account.plant_position(infy, planted)
    floor.broker.account.convert(infy, Side.SELL, 3, Product.MIS, Product.MTF)
    assert (floor.position().overnight_quantity, floor.position(product="MTF").overnight_quantity) == (-7, -3)


def test_planted_funds_add_up(floor: Floor) -> None:
    floor.broker.account.plant_funds(PlantedFunds(opening_cash=500, payin=-100))
    floor.broker.account.plant_funds(PlantedFunds(payin=50))
    funds = floor.broker.account.funds()
    assert (funds.opening, funds.payin, funds.net) == (500 * RUPEE, -50 * RUPEE, 450 * RUPEE)


def test_day_begins_anew_at_six_with_an_empty_order_book(floor: Floor) -> None:
    floor.place(quantity=10, price=1000.05, product="CNC")
    floor.clock.advance((20 * 60 + 45) * 60 - 1)
    assert len(floor.broker.book) == 1
    floor.clock.advance(1)
    assert (len(floor.broker.book), floor.broker.book.trades()) == (0, [])
    assert [one.t1_quantity for one in floor.broker.account.holdings] == [10]
