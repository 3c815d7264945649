"""Positions: average cost, what a trade moves, and what it is worth."""

from __future__ import annotations

from decimal import Decimal

import pytest

from models.messages.orders import Product
from trading.accounting.contracts import Contract, ContractKind
from trading.accounting.position import Position, day_pnl, position_key, settle, trade, unrealised, value, worth

D = Decimal
NOTHING: dict[str, Decimal] = {}


def position(kind: ContractKind | None = None) -> Position:
    return Position(
        strategy="momentum",
        instrument="NSE:INFY",
        instrument_token=1,
        product=Product.MIS,
        contract=None if kind is None else Contract(kind=kind),
    )


def traded(*trades: tuple[int, str], kind: ContractKind | None = None) -> tuple[Position, Decimal, Decimal]:
    """The position after these trades, the cash that moved and what was realised in all."""
    one, cash, realised = position(kind), D(0), D(0)
    for signed, price in trades:
        moved, gained = trade(one, signed, D(price))
        cash, realised = cash + moved, realised + gained
    assert one.realised == realised
    return one, cash, realised


def test_the_key_names_strategy_instrument_and_product() -> None:
    assert position_key("momentum", "NSE:INFY", Product.CNC) == "momentum|NSE:INFY|CNC"


@pytest.mark.parametrize(
    ("trades", "quantity", "average", "realised", "cash"),
    [
        ([(10, "100")], 10, "100", "0", "-1000"),
        ([(10, "100"), (10, "110")], 20, "105", "0", "-2100"),
        ([(10, "100"), (-4, "110")], 6, "100", "40", "-560"),
        ([(10, "100"), (-4, "110"), (4, "120")], 10, "108", "40", "-1040"),
        ([(10, "100"), (-10, "110")], 0, "0", "100", "100"),
        ([(10, "100"), (-15, "110")], -5, "110", "100", "650"),
        ([(-10, "100")], -10, "100", "0", "1000"),
        ([(-10, "100"), (4, "90")], -6, "100", "40", "640"),
        ([(-10, "100"), (10, "110")], 0, "0", "-100", "-100"),
        ([(-10, "100"), (15, "90")], 5, "90", "100", "-350"),
        ([(-10, "100"), (-10, "90")], -20, "95", "0", "1900"),
        ([(10, "100"), (-15, "110"), (5, "100")], 0, "0", "150", "150"),
    ],
)
def test_average_cost_and_what_closing_realises(
    trades: list[tuple[int, str]], quantity: int, average: str, realised: str, cash: str
) -> None:
    one, moved, gained = traded(*trades)
    assert (one.quantity, one.average_price, gained, moved) == (quantity, D(average), D(realised), D(cash))
    assert one.cost == quantity * D(average)
    assert one.settled == 0


def test_a_share_of_the_cost_is_rounded_and_the_rest_stays() -> None:
    """300.01 for 3: a third is 100.003333.., released as 100.0033; two thirds remain as 200.0067."""
    one, cash, realised = traded((2, "100"), (1, "100.01"), (-1, "100.01"))
    assert (one.cost, realised) == (D("200.0067"), D("0.0067"))
    assert cash == -one.cost + realised
    assert one.average_price == D("100.0034")  # 100.00335 to the even


def test_halves_of_a_ten_thousandth_go_to_the_even() -> None:
    assert traded((2, "0.00005"), (-1, "1"))[0].cost == D("0.0001")  # half of 0.0001 is released as 0
    assert traded((2, "0.00015"), (-1, "1"))[0].cost == D("0.0001")  # half of 0.0003 is released as 0.0002


@pytest.mark.parametrize("kind", [ContractKind.CALL, ContractKind.PUT, None])
def test_what_is_paid_for_is_worth_its_mark_and_never_settled(kind: ContractKind | None) -> None:
    one, cash, _ = traded((10, "100"), kind=kind)
    one.mark = D(120)
    assert not one.is_future
    assert (cash, value(one, NOTHING), settle(one), one.settled) == (-1000, 1200, 0, 0)


def test_a_future_costs_nothing_and_is_worth_what_it_has_moved() -> None:
    one, cash, _ = traded((10, "100"), kind=ContractKind.FUTURE)
    assert one.is_future
    assert (cash, one.settled, one.cost) == (0, 1000, 1000)
    marks = {"NSE:INFY": D(103)}
    assert (value(one, marks), worth(one, marks), unrealised(one, marks)) == (30, 1030, 30)


def test_a_future_settles_into_cash_and_goes_on_from_there() -> None:
    one, _, _ = traded((10, "100"), kind=ContractKind.FUTURE)
    one.mark = D(103)
    assert settle(one) == 30
    assert (one.settled, one.cost, value(one, NOTHING), unrealised(one, NOTHING)) == (1030, 1000, 0, 30)
    assert settle(one) == 0
    assert value(one, {"NSE:INFY": D(101)}) == -20


def test_closing_a_settled_future_moves_what_has_changed_since_and_realises_all() -> None:
    one, _, _ = traded((10, "100"), kind=ContractKind.FUTURE)
    one.mark = D(103)
    settle(one)
    assert trade(one, -4, D(101)) == (-8, 4)
    assert (one.quantity, one.cost, one.settled) == (6, 600, 618)
    assert trade(one, -10, D(104)) == (6, 24)  # the last six, and four short from here
    assert (one.quantity, one.cost, one.settled) == (-4, -416, -416)


def test_a_sold_future_settles_the_other_way() -> None:
    one, cash, _ = traded((-10, "100"), kind=ContractKind.FUTURE)
    one.mark = D(103)
    assert (cash, settle(one), one.settled) == (0, -30, -1030)


def test_the_given_mark_counts_then_the_last_known_then_the_cost() -> None:
    one, _, _ = traded((10, "100"), (10, "110"))
    assert (worth(one, NOTHING), unrealised(one, NOTHING)) == (2100, 0)
    one.mark = D(120)
    assert (worth(one, NOTHING), unrealised(one, NOTHING)) == (2400, 300)
    assert worth(one, {"NSE:TCS": D(1)}) == 2400
    assert worth(one, {"NSE:INFY": D(90)}) == 1800


def test_the_days_figures_add_up_buys_and_sells_apart() -> None:
    one, _, _ = traded((10, "100"), (-15, "110"), (3, "90"))
    assert (one.day_buy_quantity, one.day_buy_value) == (13, 1270)
    assert (one.day_sell_quantity, one.day_sell_value) == (15, 1650)


def test_the_days_gain_is_against_the_last_close_and_todays_prices() -> None:
    one, _, _ = traded((-4, "110"))
    one.quantity, one.overnight_quantity, one.overnight_worth = 6, 10, D(1000)
    assert day_pnl(one, {"NSE:INFY": D(120)}) == 40 + 120
    assert day_pnl(one, {"NSE:INFY": D(90)}) == 40 - 60
