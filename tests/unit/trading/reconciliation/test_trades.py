"""The broker's trades against its own book and ours."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.trading.reconciliation.books import NOW, D, book, differences, done, execution, only, plan, record, row
from trading.reconciliation.book import Area, BrokerTrade, UnreadRow
from trading.reconciliation.kinds import DifferenceKind as K

OURS = done()
THEIRS = row(OURS)
WHOLE = execution(THEIRS)


def kinds(*trades: BrokerTrade, **values: Any) -> list[K]:
    broker = book(**({"orders": (THEIRS,), "trades": trades, "positions": None} | values))
    return [one.kind for one in differences(OURS, broker=broker)]


def test_trades_that_add_up_are_no_difference() -> None:
    assert kinds(WHOLE) == []
    assert (
        kinds(execution(THEIRS, "1", quantity=4, price=D(97)), execution(THEIRS, "2", quantity=6, price=D(102))) == []
    )
    assert [one.kind for one in differences(record(), broker=book(orders=(row(record()),)))] == []


@pytest.mark.parametrize("quantity", [9, 11])
def test_trades_have_to_add_up_to_what_is_filled(quantity: int) -> None:
    assert kinds(execution(THEIRS, quantity=quantity)) == [K.TRADE_QUANTITY]


def test_an_order_without_its_trades_does_not_add_up() -> None:
    assert kinds() == [K.TRADE_QUANTITY]
    assert kinds(unread=(UnreadRow(Area.TRADES, "price"),)) == [K.ROWS_UNREADABLE]
    assert kinds(trades=None) == []


@pytest.mark.parametrize(
    ("price", "is_off"), [("100.01", False), ("99.99", False), ("100.011", True), ("99.989", True)]
)
def test_the_average_of_trades_may_differ_by_the_tolerance(price: str, is_off: bool) -> None:
    assert kinds(execution(THEIRS, price=D(price))) == ([K.TRADE_AVERAGE] if is_off else [])


def test_an_average_that_the_book_has_otherwise_too_is_told_once() -> None:
    order = row(OURS, average_price=D(101))
    assert kinds(execution(order), orders=(order,)) == [K.ORDER_AVERAGE]


@pytest.mark.parametrize(
    "changes", [{"side": "SELL"}, {"product": "CNC"}, {"tradingsymbol": "TCS"}, {"exchange": "BSE"}]
)
def test_trades_are_of_the_kind_their_order_is(changes: dict[str, Any]) -> None:
    assert kinds(execution(THEIRS, **changes)) == [K.TRADE_TERMS]


def test_a_trade_that_is_listed_twice_counts_once() -> None:
    assert kinds(WHOLE, WHOLE) == [K.TRADE_DOUBLED]


def test_numbers_of_trades_are_apart_for_each_order() -> None:
    other = row(OURS, broker_order_id="2", tag="")
    broker = {"orders": (THEIRS, other), "trades": (WHOLE, execution(other))}
    assert kinds(**broker) == [K.ORDER_FOREIGN]


def test_a_trade_of_an_order_in_no_book_is_told() -> None:
    lost = execution(THEIRS, broker_order_id="2", quantity=3, price=Decimal("99.5"))
    assert kinds(WHOLE, lost) == [K.TRADE_UNKNOWN_ORDER]
    unread = (UnreadRow(Area.ORDERS, "quantity"),)
    assert kinds(WHOLE, lost, unread=unread) == [K.ROWS_UNREADABLE]
    found = only(differences(OURS, broker=book(orders=(THEIRS,), trades=(WHOLE, lost), positions=None)))
    assert (found.subject, found.theirs) == ("2", "BUY 3 MIS at 99.5")


def test_averages_that_are_all_just_within_the_tolerance_of_each_other() -> None:
    order = row(OURS, average_price=D("100.01"))
    assert kinds(execution(order, price=D("100.02")), orders=(order,)) == [K.TRADE_AVERAGE]


def test_every_order_is_looked_at_whichever_are_missing() -> None:
    lost = record(plan("lost"), broker_order_id="3")
    broker = book(orders=(THEIRS,), positions=None)
    assert [one.kind for one in differences(lost, OURS, broker=broker)] == [K.ORDER_MISSING, K.TRADE_QUANTITY]


@pytest.mark.parametrize(("ago", "is_moving"), [(2, True), (3, False)])
def test_trades_are_in_motion_as_either_side_of_their_order_is(ago: int, is_moving: bool) -> None:
    just = NOW - ago
    for ours, theirs in ((done(updated_at=just), THEIRS), (OURS, row(OURS, updated_at=just))):
        found = only(differences(ours, broker=book(orders=(theirs,), positions=None)))
        assert (found.kind, found.is_moving) == (K.TRADE_QUANTITY, is_moving)
