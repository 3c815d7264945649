"""Trading on the sandbox with the unmodified kiteconnect client: every endpoint, over a real socket."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from dateutil.parser import parse
from kiteconnect import KiteConnect
from kiteconnect.exceptions import GeneralException, InputException, NetworkException, TokenException

from sandbox.rules import CallLimits, Rules
from sandbox.scenario import Scenario
from tests.exchange import Exchange, synthetic

INFY = "ADANIENT"  # the first of the market's names
KEY = f"NSE:{INFY}"
PRICE = 1000
NO_LIMITS = Rules(limits=CallLimits(enabled=False), freeze_quantities={"NSE:ADANIPORTS": 50})
TAKEN = ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN"]


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    running = Exchange(synthetic(), scenario=Scenario(rules=NO_LIMITS))
    running.tick(KEY, PRICE)
    running.tick("NSE:ADANIPORTS", PRICE)
    yield running
    running.stop()


@pytest.fixture
def client(exchange: Exchange) -> KiteConnect:
    return exchange.client()


def place(client: KiteConnect, **fields: Any) -> str:
    known = {"variety": "regular", "exchange": "NSE", "tradingsymbol": INFY, "transaction_type": "BUY"}
    known |= {"quantity": 10, "product": "MIS", "order_type": "LIMIT", "price": 990.5}
    order_id = client.place_order(**(known | fields))
    assert isinstance(order_id, str)
    return order_id


def statuses(client: KiteConnect, order_id: str) -> list[str]:
    return [one["status"] for one in client.order_history(order_id)]


def test_order_is_placed_modified_and_cancelled(client: KiteConnect) -> None:
    order_id = place(client, tag="abc123")
    assert client.modify_order("regular", order_id, price=991, quantity=5) == order_id
    assert client.cancel_order("regular", order_id) == order_id
    changed = ["MODIFY VALIDATION PENDING", "MODIFY PENDING", "MODIFIED", "OPEN"]
    assert statuses(client, order_id) == [*TAKEN, *changed, "CANCEL PENDING", "CANCELLED"]
    (order,) = client.orders()
    assert (order["status"], order["tag"], order["price"], order["quantity"]) == ("CANCELLED", "abc123", 991, 5)
    assert order["order_timestamp"] == parse("2026-08-20 09:15:00")
    assert client.order_trades(order_id) == client.trades() == []


def test_protected_market_order_fills_and_moves_everything(client: KiteConnect, exchange: Exchange) -> None:
    before = client.margins("equity")["net"]
    order_id = place(client, order_type="MARKET", price=None, market_protection=-1)
    (trade,) = client.order_trades(order_id)
    assert (trade["average_price"], trade["quantity"], trade["order_id"]) == (1000.01, 10, order_id)
    assert client.trades() == [trade]
    exchange.tick(KEY, 1010)
    (net,), (day,) = client.positions()["net"], client.positions()["day"]
    assert (net["quantity"], net["average_price"], net["pnl"]) == (10, 1000.01, 99.9) == (
        day["quantity"], day["average_price"], day["pnl"],
    )  # fmt: skip
    assert client.margins("equity")["net"] == pytest.approx(before - 10 * 1000.01 * 0.2 + 99.9)
    assert client.margins()["commodity"]["net"] == 0


def test_market_order_without_protection_is_an_input_error(client: KiteConnect) -> None:
    with pytest.raises(InputException, match="without market protection") as refused:
        place(client, order_type="MARKET", price=None)
    assert refused.value.code == 400


def test_rejected_order_is_in_the_book_with_its_reason(client: KiteConnect, exchange: Exchange) -> None:
    exchange.ask("POST", "/funds", {"opening_cash": 100})
    order_id = place(client)
    last = client.order_history(order_id)[-1]
    assert last["status"] == "REJECTED"
    assert last["status_message"] == "Insufficient funds. Required margin is 1981.00 but available margin is 100.00."


def test_autoslice_answers_for_each_slice(client: KiteConnect, exchange: Exchange) -> None:
    order = {"variety": "regular", "exchange": "NSE", "tradingsymbol": "ADANIPORTS", "transaction_type": "BUY"}
    order |= {"product": "MIS", "order_type": "LIMIT", "price": 990}
    exchange.ask("POST", "/funds", {"opening_cash": 20_000})
    with pytest.raises(InputException, match="exceeds the freeze quantity of 50"):
        client.place_order(quantity=120, **order)
    answer = client.place_autoslice_order(quantity=120, **order)
    children = answer["children"]
    assert [set(child) for child in children] == [{"order_id"}, {"order_id"}, {"error"}]
    assert (children[2]["error"]["code"], children[2]["error"]["error_type"]) == (400, "MarginException")
    assert answer["order_id"] not in {one["order_id"] for one in client.orders()}


def test_other_varieties_are_taken(client: KiteConnect, exchange: Exchange) -> None:
    place(client, variety="iceberg", iceberg_legs=2, iceberg_quantity=5)
    place(client, variety="co", trigger_price=980, price=990)
    exchange.ask("POST", "/holdings", {"instrument": KEY, "quantity": 3, "average_price": 500})
    place(client, variety="auction", auction_number="20", transaction_type="SELL", product="CNC", quantity=3)
    exchange.ask("POST", "/clock", {"seconds": 8 * 3600})
    place(client, variety="amo")
    assert [one["variety"] for one in client.orders()] == ["iceberg", "co", "auction", "amo"]
    assert client.orders()[-1]["status"] == "AMO REQ RECEIVED"


def test_holdings_are_sold_and_positions_converted(client: KiteConnect, exchange: Exchange) -> None:
    exchange.ask("POST", "/holdings", {"instrument": KEY, "quantity": 5, "average_price": 900.5})
    place(client, transaction_type="SELL", product="CNC", quantity=2, price=999)
    (holding,) = client.holdings()
    assert (holding["quantity"], holding["used_quantity"], holding["average_price"]) == (5, 2, 900.5)
    with pytest.raises(InputException, match="3 can be sold as CNC, not 4"):
        place(client, transaction_type="SELL", product="CNC", quantity=4, price=999)
    place(client, price=1001)
    assert client.convert_position("NSE", INFY, "BUY", "day", 4, "MIS", "CNC") is True
    assert {(one["product"], one["quantity"]) for one in client.positions()["net"]} == {("CNC", 2), ("MIS", 6)}
    with pytest.raises(InputException, match="smaller than the quantity"):
        client.convert_position("NSE", INFY, "BUY", "day", 7, "MIS", "CNC")


def test_quotes_leave_out_what_is_not_known(client: KiteConnect) -> None:
    quote = client.quote(KEY, "NSE:NOTHING")
    assert set(quote) == {KEY}
    one = quote[KEY]
    assert (one["last_price"], one["lower_circuit_limit"], one["upper_circuit_limit"]) == (1000, 900, 1100)
    assert len(one["depth"]["buy"]) == len(one["depth"]["sell"]) == 5
    assert client.ohlc(KEY, "NSE:AXISBANK")["NSE:AXISBANK"]["ohlc"]["close"] == 0  # listed, not traded yet
    assert client.ltp([KEY, "X:Y"]) == {KEY: {"instrument_token": one["instrument_token"], "last_price": 1000}}
    with pytest.raises(InputException, match="Too many instruments"):
        client.quote([f"NSE:{number}" for number in range(501)])
    assert client.ltp([f"NSE:{number}" for number in range(501)]) == {}


def test_candles_of_the_ticks_so_far(client: KiteConnect, exchange: Exchange) -> None:
    token = client.ltp(KEY)[KEY]["instrument_token"]
    exchange.tick(KEY, 1005, quantity=7)
    exchange.ask("POST", "/clock", {"seconds": 60})
    exchange.tick(KEY, 1002, quantity=3)
    morning, noon = parse("2026-08-20 09:15:00"), parse("2026-08-20 12:00:00")
    first, second = client.historical_data(token, morning, noon, "minute")
    assert (first["open"], first["high"], first["low"], first["close"], first["volume"]) == (1000, 1005, 1000, 1005, 7)
    assert (second["open"], second["volume"], str(second["date"])) == (1002, 3, "2026-08-20 09:16:00+05:30")
    (hour,) = client.historical_data(token, "2026-08-20", "2026-08-20 23:59:59", "60minute", oi=True)
    assert (hour["volume"], hour["oi"]) == (10, 0)
    assert client.historical_data(token, parse("2026-08-20 09:16:00"), noon, "minute") == [second]
    for wrong in (("2026-01-01", "2026-08-20", "minute"), ("2026-08-20", "2026-08-19", "day"), ("x", "y", "day")):
        with pytest.raises(InputException):
            client.historical_data(token, *wrong)
    with pytest.raises(InputException, match="Invalid `instrument_token`"):
        client.historical_data(1, morning, noon, "minute")


def test_triggers_place_their_orders(client: KiteConnect, exchange: Exchange) -> None:
    leg = {"transaction_type": "SELL", "quantity": 1, "order_type": "LIMIT", "product": "MIS", "price": 1020}
    single = client.place_gtt("single", INFY, "NSE", [1010], 1000, [leg])["trigger_id"]
    both = client.place_gtt("two-leg", INFY, "NSE", [980, 1015], 1000, [leg, leg])["trigger_id"]
    assert client.modify_gtt(both, "two-leg", INFY, "NSE", [980, 1030], 1000, [leg, leg]) == {"trigger_id": both}
    exchange.tick(KEY, 1016)
    assert {one["id"]: one["status"] for one in client.get_gtts()} == {single: "triggered", both: "active"}
    result = client.get_gtt(single)["orders"][0]["result"]
    assert result["order_result"]["order_id"] == client.orders()[0]["order_id"]
    assert client.delete_gtt(both) == {"trigger_id": both}
    with pytest.raises(GeneralException, match="Trigger not found"):
        client.get_gtt(both)
    with pytest.raises(InputException, match="Only LIMIT"):
        client.place_gtt("single", INFY, "NSE", [1100], 1000, [leg | {"order_type": "MARKET"}])


def test_margins_and_charges_of_orders_that_are_not_placed(client: KiteConnect) -> None:
    order = {"exchange": "NSE", "tradingsymbol": INFY, "transaction_type": "BUY", "variety": "regular"}
    order |= {"product": "MIS", "order_type": "LIMIT", "quantity": 100, "price": 1500.0}
    sale = order | {"transaction_type": "SELL", "price": 1510.0}
    one, two = client.order_margins([order, sale])
    assert (one["total"], two["total"], one["leverage"]) == (30_000, 30_200, 5)
    basket = client.basket_order_margins([order, sale])
    assert (basket["initial"]["total"], len(basket["orders"])) == (60_200, 2)
    assert client.basket_order_margins([order], mode="compact")["orders"] == []
    notes = client.get_virtual_contract_note(
        [one | {"order_id": "1", "average_price": one["price"]} for one in (order, sale)]
    )
    assert round(sum(note["charges"]["total"] for note in notes), 2) == 100.71
    with pytest.raises(InputException):
        client.order_margins([order | {"tradingsymbol": "NOTHING"}])


@pytest.mark.parametrize(
    "path", ["/orders", "/portfolio/positions", "/user/margins", "/quote?i=NSE:X", "/gtt/triggers"]
)
@pytest.mark.parametrize("header", [None, "token a:b", "Bearer x", "token {key}:"])
def test_everything_needs_the_token(exchange: Exchange, path: str, header: str | None) -> None:
    headers = {"Authorization": header.format(key=exchange.sandbox.sessions.api_key)} if header else {}
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(exchange.root + path, headers=headers))
    with refused.value as answer:
        assert (answer.code, json.load(answer)["error_type"]) == (403, "TokenException")


def test_second_login_and_the_morning_end_the_session(exchange: Exchange) -> None:
    first = exchange.client()
    second = exchange.client()
    with pytest.raises(TokenException):
        first.orders()
    exchange.ask("POST", "/clock", {"seconds": (20 * 60 + 45) * 60 - 1})
    expired: list[bool] = []
    second.set_session_expiry_hook(lambda: expired.append(True))
    assert second.orders() == []
    exchange.ask("POST", "/clock", {"seconds": 1})
    with pytest.raises(TokenException):
        second.orders()
    assert expired == [True]
    third = exchange.client()
    exchange.ask("POST", "/token/expire")
    with pytest.raises(TokenException):
        third.profile()


def test_calls_are_listed_and_counted_by_tag(client: KiteConnect, exchange: Exchange) -> None:
    began = time.monotonic()
    order_id = place(client, tag="one")
    client.cancel_order("regular", order_id)
    with pytest.raises(InputException):
        place(client, tag="one", price=990.001)
    placed, cancelled, refused = exchange.ask("GET", "/calls")
    assert (placed["method"], placed["path"], placed["order_id"], placed["status"]) == (
        "POST", "/orders/regular", order_id, 200,
    )  # fmt: skip
    assert (cancelled["path"], cancelled["order_id"]) == (f"/orders/regular/{order_id}", order_id)
    assert (refused["status"], refused["order_id"], refused["fields"]["price"]) == (400, None, "990.001")
    assert began <= placed["monotonic"] <= cancelled["monotonic"] <= time.monotonic()
    assert placed["exchange_time"] == "2026-08-20 09:15:00"
    assert [call["number"] for call in exchange.ask("GET", "/calls?tag=one")] == [1, 3]


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff"])
def test_order_call_that_cannot_be_read_is_refused_and_counted(exchange: Exchange, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    call = urllib.request.Request(f"{exchange.root}/orders/regular", body, headers, method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(call)
    with refused.value as answer:
        assert (answer.code, json.load(answer)["error_type"]) == (400, "InputException")
    (logged,) = exchange.ask("GET", "/calls")
    assert (logged["status"], logged["fields"]) == (400, {})


def test_orders_and_positions_of_another_source(client: KiteConnect, exchange: Exchange) -> None:
    body = {"exchange": "NSE", "tradingsymbol": INFY, "transaction_type": "BUY", "quantity": 3, "product": "MIS"}
    made = exchange.ask("POST", "/orders", body | {"order_type": "LIMIT", "price": 990.5})
    (order,) = client.orders()
    assert (order["order_id"], order["tag"]) == (made["order_id"], None)
    assert exchange.ask("DELETE", f"/orders/{made['order_id']}")["status"] == "CANCELLED"
    exchange.ask("POST", "/positions", {"instrument": KEY, "product": "MIS", "quantity": -4, "average_price": 990})
    (net,) = client.positions()["net"]
    assert (net["quantity"], net["overnight_quantity"], net["m2m"], net["pnl"]) == (-4, -4, 0, -40)
    assert (net["sell_value"], net["sell_m2m"], net["buy_m2m"], net["close_price"]) == (3960, 4000, 0, 1000)
    assert exchange.ask("GET", "/calls") == []
    with pytest.raises(urllib.error.HTTPError) as refused:
        exchange.ask("POST", "/positions", {"instrument": "NSE:X", "product": "MIS", "quantity": 1, "average_price": 1})
    with refused.value as answer:
        assert json.load(answer)["message"] == "NSE:X is not traded here"


def test_limits_of_the_account() -> None:
    limits = CallLimits(orders_per_minute=3)
    running = Exchange(synthetic(), scenario=Scenario(rules=Rules(limits=limits)))
    try:
        client = running.client()
        answers = []
        for _ in range(4):
            try:
                answers.append(place(client, price=100))
            except NetworkException as error:
                answers.append((error.code, str(error)))
        assert answers[3] == (429, "Too many requests")
        assert [isinstance(one, str) for one in answers[:3]] == [True] * 3
        assert len(client.orders()) == 3  # reading is another budget
        assert running.ask("GET", "/calls")[3]["status"] == 429
    finally:
        running.stop()


def test_page_shows_orders_positions_and_faults_as_text(client: KiteConnect, exchange: Exchange) -> None:
    place(client, price=1001, tag="<b>bold</b>")
    exchange.fault("no_answer", after=3)
    with urllib.request.urlopen(exchange.root) as answer:
        page = answer.read().decode()
    for text in (KEY, "COMPLETE", "&lt;b&gt;bold", "no_answer", "after 3", "POST /orders/*", "1000.01"):
        assert text in page
    assert "<b>bold" not in page
