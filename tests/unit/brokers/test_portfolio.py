"""Kite's trades, positions, holdings and funds as every broker has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.zerodha.mapping import BadRow, read_order
from brokers.zerodha.portfolio import read_book, read_funds, read_holding, read_position, read_trade
from models.messages.validation import MAX_QUANTITY
from tests.shared_data import shared_data
from trading.reconciliation.book import Area, BrokerFunds, BrokerHolding, BrokerPosition, BrokerTrade, UnreadRow

D = Decimal
Row = dict[str, Any]
LISTED: Row = {"exchange": "NSE", "tradingsymbol": "INFY", "product": "CNC"}
TRADE: Row = {
    **LISTED, "trade_id": "7", "order_id": "15", "transaction_type": "SELL", "quantity": 3, "average_price": 1450.5,
    "fill_timestamp": datetime(2026, 8, 20, 9, 16, 40),  # noqa: DTZ001  as the client gives it: naive, IST
}  # fmt: skip
POSITION: Row = {**LISTED, "quantity": -3, "overnight_quantity": 0, "average_price": 1450.123456789}
HOLDING: Row = {**LISTED, "quantity": 20, "opening_quantity": 20, "t1_quantity": 5, "average_price": 900}
FUNDS: Row = {"net": 99725.05, "available": {"cash": 245431.6, "collateral": 1000}}
READERS: dict[str, tuple[Callable[[Row], Any], Row]] = {
    "trade": (read_trade, TRADE),
    "position": (read_position, POSITION),
    "holding": (read_holding, HOLDING),
    "funds": (read_funds, FUNDS),
}


def test_a_trade_is_read() -> None:
    assert read_trade(TRADE) == BrokerTrade(
        trade_id="7", broker_order_id="15", exchange="NSE", tradingsymbol="INFY", side="SELL", product="CNC",
        quantity=3, price=D("1450.5"), traded_at=1_787_197_600,
    )  # fmt: skip
    assert read_trade(TRADE | {"fill_timestamp": None, "exchange_timestamp": "2026-08-20 09:16:41"}).traded_at == (
        1_787_197_601
    )


def test_a_position_is_read() -> None:
    assert read_position(POSITION) == BrokerPosition(
        exchange="NSE", tradingsymbol="INFY", product="CNC", quantity=-3, overnight_quantity=0,
        average_price=D("1450.123457"),
    )  # fmt: skip


def test_a_holding_is_what_was_carried_over_night() -> None:
    known = BrokerHolding(exchange="NSE", tradingsymbol="INFY", quantity=20, t1_quantity=5, average_price=D(900))
    assert read_holding(HOLDING) == known
    assert read_holding(HOLDING | {"quantity": 16}) == known  # four of them sold today
    del (older := dict(HOLDING))["opening_quantity"]
    assert read_holding(older) == known


def test_funds_are_usable_without_collateral() -> None:
    funds = read_funds(FUNDS)
    assert funds == BrokerFunds(net=D("99725.05"), cash=D("245431.6"), collateral=D(1000))
    assert funds.usable == D("98725.05")


BAD: list[tuple[str, Row]] = [
    ("trade", {"trade_id": ""}),
    ("trade", {"trade_id": 7}),
    ("trade", {"order_id": None}),
    ("trade", {"quantity": 0}),
    ("trade", {"quantity": -1}),
    ("trade", {"quantity": 1.5}),
    ("trade", {"average_price": 0}),
    ("trade", {"average_price": "many"}),
    ("trade", {"transaction_type": "HOLD"}),
    ("trade", {"exchange": ""}),
    ("trade", {"product": None}),
    ("position", {"quantity": None}),
    ("position", {"quantity": True}),
    ("position", {"quantity": float("nan")}),
    ("position", {"quantity": MAX_QUANTITY + 1}),
    ("position", {"overnight_quantity": "3"}),
    ("position", {"product": ""}),
    ("position", {"tradingsymbol": None}),
    ("position", {"average_price": float("inf")}),
    ("holding", {"opening_quantity": -1, "t1_quantity": 0}),
    ("holding", {"opening_quantity": None, "quantity": None}),
    ("holding", {"t1_quantity": 21}),
    ("holding", {"t1_quantity": -1}),
    ("holding", {"exchange": ""}),
    ("funds", {"net": None}),
    ("funds", {"net": "NaN"}),
    ("funds", {"available": None}),
    ("funds", {"available": []}),
    ("funds", {"available": {"collateral": []}}),
]


@pytest.mark.parametrize(("name", "changes"), BAD, ids=[f"{name} {change}" for name, change in BAD])
def test_nonsense_is_a_bad_row(name: str, changes: Row) -> None:
    read, good = READERS[name]
    read(good)
    with pytest.raises(BadRow):
        read(good | changes)


def test_a_book_names_what_it_cannot_read() -> None:
    book = read_book(trades=[TRADE, TRADE | {"quantity": -1}], positions=[], funds={})
    assert (book.orders, book.holdings, book.funds, book.positions) == (None, None, None, ())
    assert book.trades == (read_trade(TRADE),)
    assert book.unread == (
        UnreadRow(Area.TRADES, "quantity is negative"),
        UnreadRow(Area.FUNDS, "The funds are not told"),
    )
    assert [area for area in Area if book.has_all(area)] == [Area.POSITIONS]


@pytest.mark.parametrize(("status", "is_pending"), [("CANCEL PENDING", True), ("open pending", True), ("OPEN", False)])
def test_an_order_has_its_prices_and_says_whether_it_is_on_its_way(status: str, is_pending: bool) -> None:
    row = {
        "order_id": "15",
        "status": status,
        "price": 100.05,
        "trigger_price": 99,
        "order_timestamp": "2026-08-20 09:16:40",
    }
    order = read_order(row)
    assert (order.limit_price, order.trigger_price, order.is_pending) == (D("100.05"), D(99), is_pending)
    assert (order.asked_at, order.updated_at, order.changed_at) == (1_787_197_600,) * 3


def sample(name: str) -> Any:
    return json.loads(shared_data("kiteconnect-mocks", name).read_text())["data"]


def test_kites_own_samples_are_read() -> None:
    book = read_book(
        orders=sample("orders.json"),
        trades=sample("trades.json"),
        positions=sample("positions.json")["net"],
        holdings=sample("holdings.json"),
        funds=sample("margins_equity.json"),
    )
    assert book.unread == ()
    assert all(book.has_all(area) for area in Area)
    assert {(one.product, one.quantity) for one in book.positions or ()} == {("NRML", 1), ("NRML", 0), ("CO", 0)}
    assert [(one.instrument, one.quantity) for one in book.holdings or ()] == [("NSE:AARON", 1), ("BSE:SBIN", 16)]
    assert book.funds is not None
    assert round(book.funds.usable, 2) == D("99725.05")
    assert all(trade.traded_at for trade in book.trades or ())
