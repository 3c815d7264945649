"""Positions and holdings as Kite reports them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from models.messages.orders import Product
from tests.shared_data import shared_data
from tests.unit.trading.accounting.books import FRIDAY, MONDAY, TCS, TUESDAY, Books, contract
from trading.accounting.account import Account, new_account
from trading.accounting.position import Position
from trading.accounting.views import KitePosition, day_positions, holdings, net_positions

D = Decimal
FUTURE = contract("FUT")
MARKS = {FUTURE.key: D(110), "NSE:INFY": D(110)}


def only(rows: tuple[Any, ...]) -> Any:
    assert len(rows) == 1
    return rows[0]


def carried(*quantities: tuple[str, int]) -> Books:
    """A future at 100 held over night, closed at 104, by strategy."""
    books = Books()
    for strategy, quantity in quantities:
        books.trade(quantity, "100", FUTURE, product=Product.NRML, strategy=strategy)
    books.roll(FRIDAY, NFO_NIFTYFUT=104)
    return books


def test_net_has_the_overnight_part_at_its_average_and_m2m_at_the_close() -> None:
    books = carried(("momentum", 10))
    books.trade(5, "106", FUTURE, product=Product.NRML)
    books.trade(-3, "108", FUTURE, product=Product.NRML)
    assert only(net_positions(books.account, MARKS)) == KitePosition(
        instrument=FUTURE.key,
        product=Product.NRML,
        quantity=12,
        overnight_quantity=10,
        average_price=D(102),  # 1,530 for 15
        close_price=D(104),
        last_price=D(110),
        value=D(324 - 1530),
        pnl=D(324 - 1530 + 1320),
        m2m=D(324 - 530 - 1040 + 1320),
        buy_quantity=15,
        buy_value=D(1530),
        sell_quantity=3,
        sell_value=D(324),
        day_buy_quantity=5,
        day_buy_value=D(530),
        day_sell_quantity=3,
        day_sell_value=D(324),
    )


def test_a_single_unit_has_an_average() -> None:
    books = carried(("momentum", 1))
    assert only(net_positions(books.account, MARKS)).average_price == 100


def test_day_begins_with_nothing() -> None:
    books = carried(("momentum", 10))
    assert day_positions(books.account, MARKS) == ()
    books.trade(-3, "108", FUTURE, product=Product.NRML)
    row = only(day_positions(books.account, MARKS))
    assert (row.quantity, row.overnight_quantity, row.average_price, row.close_price) == (-3, 0, 108, 0)
    assert (row.value, row.pnl, row.m2m) == (324, -6, -6)


def test_a_short_position_carries_its_sells() -> None:
    books = carried(("momentum", -10))
    books.trade(4, "98", FUTURE, product=Product.NRML)
    row = only(net_positions(books.account, MARKS))
    assert (row.quantity, row.buy_quantity, row.sell_quantity) == (-6, 4, 10)
    assert (row.buy_value, row.sell_value, row.average_price, row.close_price) == (392, 1000, 100, 104)
    assert (row.pnl, row.m2m) == (1000 - 392 - 660, 1040 - 392 - 660)


def test_a_closed_position_has_no_average() -> None:
    books = carried(("momentum", 10))
    books.trade(-10, "108", FUTURE, product=Product.NRML)
    row = only(net_positions(books.account, MARKS))
    assert (row.quantity, row.average_price, row.pnl, row.m2m, row.value) == (0, 0, 80, 40, 80)


def test_strategies_are_one_position_at_the_broker() -> None:
    books = carried(("momentum", 10), ("rsi", -4))
    books.trade(2, "105", FUTURE, product=Product.NRML, strategy="rsi")
    books.trade(1, "105", FUTURE, product=Product.MIS)
    rows = net_positions(books.account, MARKS)
    assert [(row.product, row.quantity, row.overnight_quantity) for row in rows] == [
        (Product.NRML, 8, 6),
        (Product.MIS, 1, 0),
    ]
    assert (rows[0].buy_value, rows[0].m2m) == (600 + 210, 880 - 210 - 624)


def test_strategies_that_cancelled_out_over_night_left_nothing_at_the_broker() -> None:
    books = carried(("momentum", 10), ("rsi", -10))
    books.account.positions["rsi|NFO:NIFTYFUT|NRML"].overnight_cost = D(-1200)
    assert net_positions(books.account, MARKS) == ()
    books.trade(2, "105", FUTURE, product=Product.NRML)
    row = only(net_positions(books.account, MARKS))
    assert (row.quantity, row.buy_value, row.pnl, row.m2m) == (2, 210, 10, 10)


def test_without_a_mark_the_last_known_price_counts_then_the_average() -> None:
    books = Books()
    one = books.trade(10, "100")
    assert only(net_positions(books.account, {})).last_price == 100
    one.mark = D(103)
    assert only(net_positions(books.account, {})).pnl == 30


def test_deliveries_are_positions_only_on_the_day_they_trade() -> None:
    books = Books()
    books.deliver(10, "100")
    assert only(net_positions(books.account, MARKS)).quantity == 10
    books.roll(FRIDAY)
    assert net_positions(books.account, MARKS) == ()
    books.deliver(-4, "108")
    row = only(net_positions(books.account, MARKS))
    assert (row.quantity, row.overnight_quantity, row.pnl, row.close_price) == (-4, 0, 432 - 440, 0)


def test_holdings_by_settlement() -> None:
    books = Books()
    books.deliver(10, "100")
    assert holdings(books.account) == ()
    books.roll(FRIDAY)
    books.deliver(5, "106", strategy="rsi")
    books.roll(MONDAY)
    books.trade(7, "1")
    one = only(holdings(books.account))
    assert (one.instrument, one.quantity, one.t1_quantity) == ("NSE:INFY", 10, 5)
    assert (one.used_quantity, one.btst_quantity, one.sellable, one.average_price) == (0, 0, 15, 102)


@pytest.mark.parametrize(
    ("trades", "used", "btst", "sellable"),
    [
        ([-4], 4, 0, 11),
        ([-10], 10, 0, 5),
        ([-12], 12, 2, 3),
        ([-4, 4], 0, 0, 15),
        ([6, -10], 4, 0, 11),
        ([6, -4], 0, 0, 15),
        ([-4, 6], 0, 0, 15),
        ([-15], 15, 5, 0),
    ],
)
def test_what_is_sold_beyond_todays_purchases_comes_from_holdings_settled_ones_first(
    trades: list[int], used: int, btst: int, sellable: int
) -> None:
    books = Books()
    books.deliver(10, "100")
    books.roll(FRIDAY)
    books.deliver(5, "106")
    books.roll(MONDAY)
    for quantity in trades:
        books.deliver(quantity, "110")
    one = only(holdings(books.account))
    assert (one.used_quantity, one.btst_quantity, one.sellable) == (used, btst, sellable)
    assert (one.quantity, one.t1_quantity) == (10, 5)


def test_holdings_that_were_sold_are_gone_the_next_day() -> None:
    books = Books()
    books.deliver(10, "100")
    books.deliver(3, "100", TCS)
    books.roll(MONDAY)
    books.deliver(-10, "100")
    books.roll(TUESDAY)
    assert [one.instrument for one in holdings(books.account)] == ["NSE:TCS"]


def test_holdings_that_cancel_out_have_no_average() -> None:
    books = Books()
    books.deliver(10, "100")
    books.deliver(-10, "100", strategy="rsi")
    books.roll(FRIDAY)
    one = only(holdings(books.account))
    assert (one.quantity + one.t1_quantity, one.average_price) == (0, 0)


COMPARED = (
    "quantity",
    "average_price",
    "value",
    "pnl",
    "m2m",
    "buy_quantity",
    "buy_value",
    "sell_quantity",
    "sell_value",
)


@pytest.mark.parametrize("view", ["net", "day"])
def test_figures_are_those_of_kites_own_example(view: str) -> None:
    """Rows of its mock of `/portfolio/positions`; LEADMINI is left out, a commodity with a multiplier of 1,000."""
    body = json.loads(shared_data("kiteconnect-mocks", "positions.json").read_text(), parse_float=D, parse_int=int)
    rows = [row for row in body["data"][view] if row["multiplier"] == 1]
    assert {row["tradingsymbol"] for row in rows} == {"GOLDGUINEA17DECFUT", "SBIN"}
    for row in rows:
        found = only((net_positions if view == "net" else day_positions)(account_of(row), {}))
        assert {name: getattr(found, name) for name in COMPARED} == {name: row[name] for name in COMPARED}


def account_of(row: dict[str, Any]) -> Account:
    """An account with the position Kite's row describes."""
    overnight = row["overnight_quantity"]
    account = new_account("zerodha:main", D(0))
    account.positions["one"] = Position(
        strategy="momentum",
        instrument=row["tradingsymbol"],
        instrument_token=row["instrument_token"],
        product=Product.NRML,
        quantity=row["quantity"],
        mark=D(row["last_price"]),
        overnight_quantity=overnight,
        overnight_cost=D(row["buy_value"] - row["day_buy_value"]),
        overnight_worth=D(overnight * row["close_price"]),
        day_buy_quantity=row["day_buy_quantity"],
        day_buy_value=D(row["day_buy_value"]),
        day_sell_quantity=row["day_sell_quantity"],
        day_sell_value=D(row["day_sell_value"]),
    )
    return account
