"""The money that can be used."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from models.messages.orders import OrderType, Product, Side
from tests.unit.trading.reconciliation.books import (
    CASH,
    KEY,
    D,
    account,
    book,
    differences,
    done,
    funds,
    holds,
    plan,
    readings,
    record,
)
from trading.reconciliation.difference import Readings, Tolerances
from trading.reconciliation.funds import believed_funds, funds_differences
from trading.reconciliation.kinds import DifferenceKind as K

PAISA = D("0.01")
TIGHT = Tolerances(funds_rupees=D(1_000), funds_percent=D(2))


def low(net: Decimal, tolerances: Tolerances = TIGHT, collateral: int = 0, **values: Any) -> list[K]:
    told = readings(broker=book(funds=funds(net, collateral)), **values)
    return [one.kind for one in funds_differences(told, tolerances)]


@pytest.mark.parametrize(("below", "is_low"), [(20_000, False), (20_000 + PAISA, True), (-10_000_000, False)])
def test_less_than_believed_by_more_than_the_percentage_is_low(below: Decimal, is_low: bool) -> None:
    assert low(CASH - below) == ([K.FUNDS_LOW] if is_low else [])


@pytest.mark.parametrize(("below", "is_low"), [(1_000, False), (1_000 + PAISA, True)])
def test_of_little_money_the_rupees_count(below: Decimal, is_low: bool) -> None:
    ours = account(cash=D(50_000))
    assert low(50_000 - below, account=ours) == ([K.FUNDS_LOW] if is_low else [])


def test_collateral_is_no_money() -> None:
    assert low(CASH, collateral=20_000) == []
    assert low(CASH, collateral=20_001) == [K.FUNDS_LOW]


@pytest.mark.parametrize(("day", "found"), [("2026-08-20", [K.FUNDS_LOW]), ("2026-08-19", [])])
def test_funds_are_compared_once_the_account_has_begun_the_day(day: str, found: list[K]) -> None:
    ours = account()
    ours.day = day
    assert [one.kind for one in differences(account=ours, broker=book(funds=funds(D(1))))] == found


def test_funds_that_were_not_told_are_not_compared() -> None:
    assert list(funds_differences(readings(broker=book(funds=None)), TIGHT)) == []


def believed(*ours: Any, **values: Any) -> Decimal:
    told: Readings = readings(*ours, **values)
    return believed_funds(told)


def test_positions_and_working_entries_tie_money_up() -> None:
    assert believed() == CASH
    assert believed(account=holds(account(cash=CASH - 1_000), 10)) == CASH - 200  # a fifth of an intraday position
    assert believed(account=holds(account(cash=CASH - 1_000), 10, Product.CNC)) == CASH - 1_000
    assert believed(record(plan(quantity=10))) == CASH - 1_000
    assert believed(record(plan(quantity=10), filled_quantity=4)) == CASH - 600
    assert believed(record(plan(quantity=10, reduces=True))) == CASH
    assert believed(done()) == CASH


def test_a_market_order_is_taken_at_the_mark() -> None:
    order = plan(order_type=OrderType.MARKET, limit_price=None)
    assert believed(record(order), marks={KEY: D(120)}) == CASH - 1_200
    stop = plan(order_type=OrderType.SL_M, limit_price=None, trigger_price=D(110), side=Side.BUY)
    assert believed(record(stop)) == CASH - 1_100


def test_less_money_says_how_much_and_is_in_motion() -> None:
    (found,) = funds_differences(readings(broker=book(funds=funds(D("7.5")))), TIGHT)
    assert (found.ours, found.theirs, found.basis, found.is_moving) == ("1000000.00", "7.50", "0", True)


def test_a_fifth_of_what_sold_holdings_bring_comes_tomorrow() -> None:
    ours = holds(account(cash=CASH + 400), 16, Product.CNC, overnight=20)  # 4 sold at 100
    assert believed(account=ours) == CASH + 400 - 80
    one = holds(account(cash=CASH + 100), 19, Product.CNC, overnight=20)
    assert believed(account=one) == CASH + 100 - 20
    assert believed(account=holds(account(), -4)) == CASH - 400 - 80  # intraday: only its margin, a fifth of 400
