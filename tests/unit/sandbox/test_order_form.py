"""What an order call may say: each refusal with its text, and both sides of each limit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sandbox.errors import Refused
from sandbox.order_form import slices
from sandbox.vocabulary import OrderType, Validity
from tests.floor import Floor


@pytest.fixture
def floor() -> Floor:
    found = Floor()
    found.tick(1000)
    found.tick(150, "NIFTY26AUG24000CE")
    return found


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"tradingsymbol": "NOTHING"}, "has either expired or does not exist"),
        ({"tradingsymbol": "NIFTY 50"}, "has either expired or does not exist"),
        ({"exchange": "BSE"}, "has either expired or does not exist"),
        ({"tradingsymbol": ""}, "Missing or empty field `tradingsymbol`"),
        ({"transaction_type": "HOLD"}, "Invalid `transaction_type`"),
        ({"product": "BO"}, "Invalid `product`"),
        ({"order_type": ""}, "Missing or empty field `order_type`"),
        ({"validity": "GTC"}, "Invalid `validity`"),
        ({"variety": "bo"}, "Invalid `variety`"),
        ({"quantity": "0"}, "Invalid `quantity`"),
        ({"quantity": "1.5"}, "Invalid `quantity`"),
        ({"quantity": "-1"}, "Invalid `quantity`"),
        ({"price": "1000.03"}, "Tick size for this script is 0.05"),
        ({"price": "nan"}, "Invalid `price`"),
        ({"price": "-5"}, "Invalid `price`"),
        ({"price": "1e400"}, "Invalid `price`"),
        ({"price": "", "order_type": "LIMIT"}, "Missing or empty field `price`"),
        ({"tag": "x" * 21}, "Tag cannot be longer than 20 characters"),
        ({"order_type": "MARKET"}, "without market protection"),
        ({"order_type": "MARKET", "market_protection": "0"}, "without market protection"),
        ({"order_type": "MARKET", "market_protection": "101"}, "Invalid `market_protection`"),
        ({"order_type": "MARKET", "market_protection": "-0.5"}, "Invalid `market_protection`"),
        ({"order_type": "SL-M", "trigger_price": "1010"}, "without market protection"),
        ({"order_type": "SL-M", "market_protection": "-1"}, "Missing or empty field `trigger_price`"),
        ({"order_type": "SL", "trigger_price": "1000.05"}, "stoploss buy orders cannot be above the limit"),
        ({"order_type": "SL", "transaction_type": "SELL", "trigger_price": "999.95"}, "cannot be below the limit"),
        ({"order_type": "SL", "trigger_price": "999.99"}, "Kindly enter trigger price in the multiple"),
        ({"validity": "TTL"}, "`validity_ttl` must be from 1 to 360"),
        ({"validity": "TTL", "validity_ttl": "361"}, "`validity_ttl` must be from 1 to 360"),
        ({"validity": "IOC", "order_type": "SL", "trigger_price": "1000"}, "IOC is not allowed"),
        ({"disclosed_quantity": "11"}, "Disclosed quantity"),
        ({"product": "NRML"}, "Product NRML is not allowed on NSE"),
        ({"tradingsymbol": "SLOW-BE"}, "trade-to-trade"),
        ({"variety": "auction"}, "Missing or empty field `auction_number`"),
        ({"variety": "iceberg"}, "`iceberg_legs` must be from 2 to 50"),
        ({"variety": "iceberg", "iceberg_legs": "51", "iceberg_quantity": "1"}, "`iceberg_legs` must be from 2 to 50"),
        ({"variety": "iceberg", "iceberg_legs": "3", "iceberg_quantity": "3"}, "does not divide"),
        ({"variety": "iceberg", "iceberg_legs": "4", "iceberg_quantity": "5"}, "does not divide"),
        ({"variety": "co"}, "Missing or empty field `trigger_price`"),
        ({"variety": "co", "trigger_price": "990", "product": "CNC"}, "Cover orders must be intraday"),
    ],
)
def test_what_is_wrong_is_refused_as_an_input_error(floor: Floor, fields: dict[str, str], text: str) -> None:
    with pytest.raises(Refused, match=text) as refused:
        floor.place(**({"price": "1000"} | fields))
    assert (refused.value.status, refused.value.kind) == (400, "InputException")
    assert len(floor.broker.book) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"tag": "x" * 20},
        {"validity": "TTL", "validity_ttl": "360"},
        {"disclosed_quantity": "10"},
        {"order_type": "SL", "price": "1010", "trigger_price": "1010"},
        {"transaction_type": "SELL", "order_type": "SL", "price": "990", "trigger_price": "990"},
        {"variety": "iceberg", "iceberg_legs": "2", "iceberg_quantity": "5"},
        {"product": "CNC"},
    ],
)
def test_what_is_at_the_limit_is_taken(floor: Floor, fields: dict[str, str]) -> None:
    assert floor.place(**({"price": "999"} | fields)).message is None


@pytest.mark.parametrize(("quantity", "taken"), [(65, True), (130, True), (64, False), (66, False)])
def test_contracts_trade_in_lots(floor: Floor, quantity: int, taken: bool) -> None:
    contract = {"exchange": "NFO", "tradingsymbol": "NIFTY26AUG24000CE", "product": "NRML"}
    if taken:
        assert floor.place(quantity=quantity, price=149, **contract).status == "OPEN"
    else:
        with pytest.raises(Refused, match="multiples of the lot size 65"):
            floor.place(quantity=quantity, price=149, **contract)


def test_delivery_products_are_refused_for_contracts(floor: Floor) -> None:
    contract = {"exchange": "NFO", "tradingsymbol": "NIFTY26AUG24000CE", "product": "CNC"}
    with pytest.raises(Refused, match="Product CNC is not allowed on NFO"):
        floor.place(quantity=65, price=149, **contract)


def test_changes_keep_what_they_do_not_name(floor: Floor) -> None:
    order = floor.place(price=990, validity="TTL", validity_ttl=5, tag="keep")
    floor.modify(order, price=991, quantity=20)
    terms = order.terms
    assert (terms.price, terms.quantity, terms.tag) == (9_910_000, 20, "keep")
    assert (terms.validity, terms.validity_ttl, terms.order_type) == (Validity.TTL, 5, OrderType.LIMIT)


def test_change_to_market_needs_protection_unless_the_order_had_it(floor: Floor) -> None:
    order = floor.place(price=990)
    with pytest.raises(Refused, match="without market protection"):
        floor.modify(order, order_type="MARKET")
    protected = floor.place(market_protection="0.01", quantity=9_000)
    assert (protected.status, protected.terms.market_protection) == ("OPEN", Decimal("0.01"))
    floor.modify(protected, order_type="MARKET")


@pytest.mark.parametrize(
    ("quantity", "freeze", "lot", "expected"),
    [
        (100, None, 1, [100]),
        (100, 100, 1, [100]),
        (101, 100, 1, [100, 1]),
        (1950, 1800, 65, [1755, 195]),
        (130, 10, 65, [65, 65]),
    ],
)
def test_slices_are_whole_lots_within_the_freeze_quantity(
    quantity: int, freeze: int | None, lot: int, expected: list[int]
) -> None:
    assert slices(quantity, freeze, lot) == expected
