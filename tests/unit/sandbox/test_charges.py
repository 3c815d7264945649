"""The virtual contract note's rates, by figures worked out by hand."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from sandbox.charges import charges
from sandbox.vocabulary import Product, Side
from tests.floor import DAY, LISTED

INFY, FUTURE, OPTION = LISTED[0], LISTED[4], LISTED[5]
RUPEE = 10_000


def rupees(value: Fraction) -> float:
    return float(value / RUPEE)


def test_intraday_round_trip_of_a_hundred_shares() -> None:
    buy = charges(INFY, Side.BUY, Product.MIS, 100, 1500 * RUPEE, DAY)
    sell = charges(INFY, Side.SELL, Product.MIS, 100, 1510 * RUPEE, DAY)
    assert [rupees(one.brokerage) for one in (buy, sell)] == [20, 20]
    assert [rupees(one.transaction_tax) for one in (buy, sell)] == [0, 37.75]
    assert [rupees(one.stamp_duty) for one in (buy, sell)] == [4.5, 0]
    assert rupees(buy.exchange_turnover + sell.exchange_turnover) == pytest.approx(9.2407)
    assert rupees(buy.gst + sell.gst) == pytest.approx(8.9175, abs=1e-4)
    assert round(rupees(buy.total + sell.total), 2) == 100.71


@pytest.mark.parametrize(("quantity", "brokerage"), [(44, 19.80), (45, 20.0)])
def test_brokerage_is_a_percentage_up_to_twenty_rupees(quantity: int, brokerage: float) -> None:
    assert rupees(charges(INFY, Side.BUY, Product.MIS, quantity, 1500 * RUPEE, DAY).brokerage) == brokerage


def test_delivery_has_no_brokerage_and_taxes_both_sides() -> None:
    for side, stamp in ((Side.BUY, 15.0), (Side.SELL, 0.0)):
        found = charges(INFY, side, Product.CNC, 100, 1000 * RUPEE, DAY)
        assert (rupees(found.brokerage), rupees(found.transaction_tax), rupees(found.stamp_duty)) == (0, 100, stamp)


@pytest.mark.parametrize(
    ("day", "future", "option"), [(date(2026, 3, 31), 312.0, 6.5), (date(2026, 4, 1), 780.0, 9.75)]
)
def test_tax_on_contracts_changed_with_the_budget(day: date, future: float, option: float) -> None:
    sold = charges(FUTURE, Side.SELL, Product.NRML, 65, 24_000 * RUPEE, day)
    assert (rupees(sold.transaction_tax), rupees(sold.brokerage)) == (future, 20)
    sold = charges(OPTION, Side.SELL, Product.NRML, 65, 100 * RUPEE, day)
    assert (rupees(sold.transaction_tax), rupees(sold.brokerage)) == (option, 20)
    assert rupees(sold.exchange_turnover) == pytest.approx(6500 * 0.0003553)
