"""Where a position's stops are, and what of a position counts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from models.messages.orders import OrderStatus, Product, Side
from tests.factories import ACCOUNT, filled, instrument, order, update
from trading.accounting.account import Account, apply_fill, new_account
from trading.market.instruments import Instrument
from trading.orders.protection import (
    Action,
    Held,
    PlaceTrigger,
    Protection,
    held_positions,
    plan,
    stored_protection,
)
from trading.orders.state import OrderRecord, fold, submitted
from trading.orders.triggers import Listing

D = Decimal
INFY = instrument()
STOP, BOTH = Protection(stop_percent=D(2)), Protection(stop_percent=D(2), target_percent=D(4))
KEY = "momentum|NSE:INFY|CNC"


def record(quantity: int = 10, done: int = 10, **values: Any) -> OrderRecord:
    one = submitted(order(quantity=quantity, product=Product.CNC, **values))
    status = OrderStatus.FILLED if done == quantity else OrderStatus.WORKING
    return fold(one, update(status, done, "1500" if done else "0", of=one.order)).record


def account(*records: OrderRecord) -> Account:
    found = new_account(ACCOUNT, D(1_000_000))
    for one in records:
        if one.filled_quantity:
            assert apply_fill(found, filled(one.order, one.filled_quantity, "1500", one.filled_quantity), INFY)
    return found


def held(of: Account, *records: OrderRecord, price: int = 15_000_000, **values: Any) -> Held:
    options = {"momentum": values.pop("protection", STOP)}
    find = {INFY.instrument_token: values.pop("instrument", INFY)}.get
    return held_positions(of, records, options, find, {INFY.instrument_token: price} if price else {})[KEY]


def placed(of: Held, percent: str = "1") -> list[tuple[Side, int, tuple[D, ...], tuple[D, ...]]]:
    actions: list[Action] = plan({KEY: of}, {}, Listing(triggers={}, asked_at=0), D(percent))
    assert all(isinstance(one, PlaceTrigger) for one in actions)
    return [
        (one.terms.side, one.terms.quantity, one.terms.triggers, one.terms.limits)
        for one in actions
        if isinstance(one, PlaceTrigger)
    ]


def position(quantity: int = 10, average: str = "1500", price: str | None = "1500", **values: Any) -> Held:
    found = held(account(record()), record())
    return Held(
        position=values.pop("position", found.position),
        quantity=quantity,
        average_price=D(average),
        protection=values.pop("protection", STOP),
        instrument=values.pop("instrument", INFY),
        last_price=None if price is None else D(price),
        **values,
    )


def test_the_stop_of_a_long_position_is_below_its_average_and_the_limit_below_the_stop() -> None:
    assert placed(position()) == [(Side.SELL, 10, (D("1470.00"),), (D("1455.30"),))]
    assert placed(position(average="1500.33"), "0.5") == [(Side.SELL, 10, (D("1470.35"),), (D("1463.00"),))]


def test_the_stop_of_a_short_position_is_above_its_average_and_the_limit_above_the_stop() -> None:
    future = instrument(exchange="NFO", tick_size=D("0.1"), lot_size=5)
    name = held(account(record()), record()).position
    there = type(name)(
        account=ACCOUNT, strategy="momentum", instrument="NFO:INFY", instrument_token=1, product=Product.NRML
    )
    short = position(quantity=-10, average="1500.33", instrument=future, position=there)
    assert placed(short) == [(Side.BUY, 10, (D("1530.3"),), (D("1545.6"),))]
    both = position(quantity=-10, instrument=future, position=there, protection=BOTH)
    assert placed(both) == [(Side.BUY, 10, (D("1440.0"), D("1530.0")), (D("1454.4"), D("1545.3")))]


def test_two_legs_are_below_and_above() -> None:
    assert placed(position(protection=BOTH)) == [
        (Side.SELL, 10, (D("1470.00"), D("1560.00")), (D("1455.30"), D("1544.40")))
    ]


@pytest.mark.parametrize(
    ("price", "lower", "upper"),
    [
        ("1473.70", "1470.00", "1560.00"),
        ("1473.65", "1469.95", "1560.00"),
        ("1400", "1396.50", "1560.00"),
        ("1556.10", "1470.00", "1560.00"),
        ("1556.15", "1470.00", "1560.05"),
        ("1700", "1470.00", "1704.25"),
    ],
)
def test_a_trigger_is_as_near_to_the_price_as_it_may_be(price: str, lower: str, upper: str) -> None:
    ((_, _, triggers, _),) = placed(position(price=price, protection=BOTH))
    assert triggers == (D(lower), D(upper))


@pytest.mark.parametrize(
    "without",
    [
        position(protection=None),
        position(price=None),
        position(instrument=None),
        position(quantity=0),
        position(exits=10),
        position(exits=12),
        position(is_settling=True),
        position(quantity=1, average="0.01", price="0.01"),
    ],
)
def test_nothing_is_placed_without_what_it_takes(without: Held) -> None:
    assert placed(without) == []


@pytest.mark.parametrize(
    ("exchange", "product", "is_taken"),
    [
        ("NSE", Product.CNC, True),
        ("BSE", Product.CNC, True),
        ("NSE", Product.MIS, False),
        ("NFO", Product.NRML, True),
        ("NFO", Product.MIS, False),
        ("NSE", Product.NRML, False),
        ("NFO", Product.CNC, False),
        ("MCX", Product.NRML, False),
    ],
)
def test_only_products_the_broker_takes_triggers_for(exchange: str, product: Product, is_taken: bool) -> None:
    name = held(account(record()), record()).position
    there = type(name)(
        account=ACCOUNT, strategy="momentum", instrument=f"{exchange}:INFY", instrument_token=1, product=product
    )
    assert bool(placed(position(position=there))) is is_taken


def test_no_trigger_is_above_the_freeze_quantity_and_exits_are_left_out() -> None:
    frozen = instrument(freeze_quantity=7)
    assert placed(position(instrument=frozen))[0][1] == 7
    assert placed(position(exits=4))[0][1] == 6


def test_fills_the_account_has_not_heard_of_count_and_are_not_priced_yet() -> None:
    bought = record()
    late = record(done=10, order_id="late", quantity=10)
    known = held(account(bought), bought)
    assert (known.quantity, known.average_price, known.exits, known.is_settling) == (10, D(1500), 0, False)
    found = held(account(bought), bought, late)
    assert (found.quantity, found.is_settling) == (20, True)
    sold = record(order_id="sold", side=Side.SELL, reduces=True)
    assert held(account(bought), bought, sold).quantity == 0
    assert held(account(bought, sold), bought, sold).is_settling is False


def test_units_of_working_exits_are_on_their_way() -> None:
    bought = record()
    working = record(quantity=6, done=2, order_id="exit", side=Side.SELL, reduces=True)
    entry = record(quantity=6, done=0, order_id="entry")
    found = held(account(bought, working), bought, working, entry)
    assert (found.quantity, found.exits, found.left) == (8, 4, 4)


def test_orders_of_a_day_the_account_has_closed_do_not_count_twice() -> None:
    bought = record()
    books = account(bought)
    books.day, books.finished, books.orders = "2026-08-25", {}, {}
    assert held(books, bought).quantity == 10


def test_a_token_of_another_instrument_prices_nothing() -> None:
    other: Instrument = instrument(tradingsymbol="TCS")
    bought = record()
    assert held(account(bought), bought, instrument=other).instrument is None
    assert held(account(bought), bought, price=0).last_price is None


def test_the_option_as_it_is_stored() -> None:
    assert stored_protection({"stop_percent": "2", "target_percent": 4.5}) == {
        "stop_percent": "2",
        "target_percent": "4.5",
    }
    assert stored_protection({"stop_percent": 2}) == {"stop_percent": "2"}
    assert stored_protection(None) is None
    assert stored_protection({}) is None


@pytest.mark.parametrize(
    "bad",
    [
        {"target_percent": "4"},
        {"stop_percent": "0"},
        {"stop_percent": "100"},
        {"stop_percent": "NaN"},
        {"stop_percent": "2", "target_percent": "-1"},
        {"stop_percent": "2", "trail": "1"},
        "2",
    ],
)
def test_an_option_that_makes_no_sense_is_refused(bad: object) -> None:
    with pytest.raises(ValidationError):
        stored_protection(bad)
