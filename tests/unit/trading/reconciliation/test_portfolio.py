"""Positions and holdings against the broker's, and what orders explain of their differences."""

from __future__ import annotations

import pytest

from models.messages.orders import Product, Side
from tests.unit.trading.reconciliation.books import (
    KEY,
    NOW,
    account,
    book,
    differences,
    done,
    execution,
    holds,
    only,
    plan,
    row,
    shares,
    stands,
)
from trading.accounting.account import Account
from trading.reconciliation.book import Area, BrokerBook, BrokerOrder, BrokerPosition, UnreadRow
from trading.reconciliation.difference import Difference
from trading.reconciliation.kinds import DifferenceKind as K

TCS = "NSE:TCS"
NRML, CNC = Product.NRML, Product.CNC


def told(ours: Account, *positions: BrokerPosition, **values: object) -> list[Difference]:
    """Of positions and holdings; no side has an order."""
    return differences(account=ours, broker=book(positions=positions, **values))


def kinds(ours: Account, *positions: BrokerPosition, **values: object) -> list[K]:
    return [one.kind for one in told(ours, *positions, **values)]


def foreign(quantity: int, product: str = "MIS", number: str = "9") -> BrokerOrder:
    """An order of another that has filled."""
    side = Side.BUY if quantity > 0 else Side.SELL
    return row(done(plan(side=side, quantity=abs(quantity))), tag="", broker_order_id=number, product=product)


def with_orders(ours: Account, orders: tuple[BrokerOrder, ...], *positions: BrokerPosition) -> list[Difference]:
    broker = book(orders=orders, trades=tuple(execution(one) for one in orders), positions=positions)
    return [one for one in differences(account=ours, broker=broker) if one.kind is not K.ORDER_FOREIGN]


def test_the_same_quantities_are_no_difference() -> None:
    assert kinds(holds(account(), 10), stands(10)) == []
    assert kinds(holds(account(), -5, NRML, overnight=-5), stands(-5, "NRML", overnight=-5)) == []
    assert kinds(account(), stands(0), stands(0, "CNC")) == []


def test_strategies_are_one_position_at_the_broker() -> None:
    ours = holds(account(), 10)
    ours.positions["rsi"] = holds(account(), -4).positions.popitem()[1]
    assert kinds(ours, stands(6)) == []
    assert kinds(ours, stands(10)) == [K.POSITION_QUANTITY]


@pytest.mark.parametrize(
    ("theirs", "kind", "gap"),
    [
        (9, K.POSITION_QUANTITY, "-1"),
        (11, K.POSITION_QUANTITY, "+1"),
        (-10, K.POSITION_QUANTITY, "-20"),
        (0, K.POSITION_MISSING, "-10"),
    ],
)
def test_quantities_are_compared(theirs: int, kind: K, gap: str) -> None:
    found = only(told(holds(account(), 10), stands(theirs)))
    assert (found.kind, found.gap, found.instrument, found.subject) == (kind, gap, KEY, f"{KEY} MIS")
    assert (found.ours, found.theirs) == ("10", str(theirs))


def test_a_position_of_one_side_only() -> None:
    assert kinds(holds(account(), 10)) == [K.POSITION_MISSING]
    assert kinds(account(), stands(3)) == [K.POSITION_UNKNOWN]
    assert kinds(account(), stands(3, "CO")) == [K.POSITION_UNKNOWN]


def test_rows_that_cannot_be_read_prove_no_absence() -> None:
    unread = (UnreadRow(Area.POSITIONS, "quantity is missing"),)
    ours = holds(holds(account(), 10), 10, key=TCS)
    assert kinds(ours, stands(9, key=TCS), unread=unread) == [K.ROWS_UNREADABLE, K.POSITION_QUANTITY]


@pytest.mark.parametrize("missing", ["orders", "positions", "holdings"])
def test_without_all_of_it_nothing_is_compared(missing: str) -> None:
    broker = book(**{missing: None})
    assert differences(account=holds(account(), 10), broker=broker) == []


def test_an_account_is_compared_once_it_has_begun_the_day() -> None:
    ours = holds(account(), 10)
    ours.day = "2026-08-19"
    assert kinds(ours) == []
    assert differences(account=account(), broker=book(positions=(stands(1),)), now=NOW + 86_400) == []


@pytest.mark.parametrize("product", ["CNC", "NRML"])
def test_units_under_another_product_are_converted(product: str) -> None:
    found = only(told(holds(account(), 10), stands(0), stands(10, product)))
    assert (found.kind, found.subject) == (K.POSITION_CONVERTED, KEY)
    assert (found.is_moving, sorted(found.gap.split(", "))) == (True, sorted(["MIS -10", f"{product} +10"]))
    assert sorted(found.basis.split(", ")) == ["", "10/0"]
    assert sorted(found.ours.split(", ")) == sorted(["MIS 10", f"{product} 0"])
    assert kinds(holds(account(), 10), stands(4), stands(6, product)) == [K.POSITION_CONVERTED]


def test_units_of_another_instrument_are_no_conversion() -> None:
    assert kinds(holds(account(), 10), stands(10, key=TCS)) == [K.POSITION_MISSING, K.POSITION_UNKNOWN]
    assert kinds(holds(account(), 10), stands(9, "CNC")) == [K.POSITION_UNKNOWN, K.POSITION_MISSING]


def test_an_intraday_position_that_was_carried_has_become_a_delivery() -> None:
    ours = holds(account(), 10, overnight=10)
    assert kinds(ours, holdings=(shares(10, 10),)) == [K.POSITION_CONVERTED]


@pytest.mark.parametrize(("overnight", "is_other"), [(-5, False), (-4, True), (0, True), (5, True)])
def test_what_was_carried_is_compared_where_quantities_agree(overnight: int, is_other: bool) -> None:
    ours = holds(account(), -5, NRML, overnight=-5)
    found = told(ours, stands(-5, "NRML", overnight=overnight))
    assert [one.kind for one in found] == ([K.POSITION_OVERNIGHT] if is_other else [])
    assert kinds(ours, stands(-6, "NRML", overnight=0)) == [K.POSITION_QUANTITY]


def test_deliveries_of_the_day_are_positions_and_what_was_held_before_is_not() -> None:
    ours = holds(account(), 16, CNC, overnight=20)  # 4 of them sold today
    held = (shares(20),)
    assert kinds(ours, stands(-4, "CNC"), holdings=held) == []
    assert kinds(ours, stands(-4, "CNC", overnight=7), holdings=held) == []
    assert kinds(ours, stands(-5, "CNC"), holdings=held) == [K.POSITION_QUANTITY]
    assert kinds(ours, holdings=held) == [K.POSITION_MISSING]


@pytest.mark.parametrize(
    ("quantity", "t1", "kind"),
    [
        (20, 5, None),
        (19, 5, K.HOLDING_LESS),
        (0, 0, K.HOLDING_LESS),
        (21, 5, K.HOLDING_MORE),
        (20, 4, K.HOLDING_UNSETTLED),
        (20, 6, K.HOLDING_UNSETTLED),
    ],
)
def test_holdings_are_compared_settled_or_not(quantity: int, t1: int, kind: K | None) -> None:
    ours = holds(account(), 20, CNC, overnight=20, t1=5)
    for held in ((shares(quantity, t1),), (shares(quantity, t1, "BSE:INFY"),)):
        found = told(ours, holdings=held if quantity else ())
        assert [(one.kind, one.instrument) for one in found] == ([(kind, KEY)] if kind else [])


def test_shares_of_both_exchanges_are_the_same_shares() -> None:
    ours = holds(account(), 20, CNC, overnight=20)
    assert kinds(ours, holdings=(shares(15), shares(5, key="BSE:INFY"))) == []


def test_shares_that_only_the_broker_has_are_the_owners() -> None:
    found = only(told(account(), holdings=(shares(3, key=TCS),)))
    assert (found.kind, found.instrument, found.gap) == (K.HOLDING_MORE, TCS, "+3")
    unread = (UnreadRow(Area.HOLDINGS, "quantity is missing"),)
    assert kinds(holds(account(), 20, CNC, overnight=20), unread=unread) == [K.ROWS_UNREADABLE]


def test_what_others_have_filled_is_foreign() -> None:
    found = only(with_orders(holds(account(), 10), (foreign(5),), stands(15)))
    assert (found.kind, found.gap) == (K.POSITION_FOREIGN, "+5")
    assert [one.kind for one in with_orders(account(), (foreign(5), foreign(-3, number="8")), stands(2))] == [
        K.POSITION_FOREIGN
    ]
    assert with_orders(account(), (foreign(5), foreign(-5, number="8")), stands(0)) == []


@pytest.mark.parametrize("theirs", [14, 16])
def test_what_others_have_filled_has_to_explain_all_of_it(theirs: int) -> None:
    assert [one.kind for one in with_orders(holds(account(), 10), (foreign(5),), stands(theirs))] == [
        K.POSITION_QUANTITY
    ]


def test_fills_of_others_explain_nothing_under_another_product() -> None:
    assert [one.kind for one in with_orders(account(), (foreign(5, "CNC"),), stands(5))] == [K.POSITION_UNKNOWN]


def both(*theirs: BrokerOrder, stand: int, quantity: int = 10) -> list[K]:
    """Our order has filled; what of it is booked is up to the test."""
    ours = done()
    broker: BrokerBook = book(orders=theirs, trades=tuple(execution(one) for one in theirs), positions=(stands(stand),))
    return [one.kind for one in differences(ours, account=holds(account(), quantity), broker=broker)]


def test_what_differs_in_our_orders_explains_positions() -> None:
    short = row(done(), filled_quantity=8)
    assert both(short, stand=8) == [K.ORDER_FILLED_LESS, K.POSITION_UNBOOKED]
    twice = row(done()), row(done(), broker_order_id="2")
    assert both(*twice, stand=20) == [K.ORDER_DOUBLED, K.POSITION_UNBOOKED]
    sold = row(done(), side="SELL")
    assert both(sold, stand=-10) == [K.ORDER_SIDE, K.POSITION_UNBOOKED]


def test_what_our_account_has_not_booked_of_an_agreed_fill_is_no_explanation() -> None:
    assert both(row(done()), stand=10, quantity=7) == [K.POSITION_QUANTITY]


def test_own_and_foreign_parts_are_told_apart() -> None:
    short = row(done(), filled_quantity=8)
    found = both(short, foreign(5), stand=13)
    assert found == [K.ORDER_FILLED_LESS, K.ORDER_FOREIGN, K.POSITION_UNBOOKED, K.POSITION_FOREIGN]


def test_figures_without_a_time_are_always_in_motion() -> None:
    ours = holds(holds(account(), 10), 20, CNC, TCS, overnight=20)
    found = told(ours, stands(9), holdings=(shares(21, key=TCS),))
    assert [(one.is_moving, one.basis) for one in found] == [(True, "10/0"), (True, "")]
