"""Charges beyond turnover: dated rows, and which of them a second source has not confirmed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from trading.charges.fees import FEES, Fee, dp_charge, exercise_charges, fee_row, square_off_charge

D = Decimal
DAY = date(2026, 8, 20)


def test_a_share_that_leaves_the_demat_account_costs_thirteen_rupees_and_gst() -> None:
    assert dp_charge(DAY) == D("15.34")


def test_the_broker_closes_a_position_for_fifty_rupees_and_gst() -> None:
    assert square_off_charge(DAY) == 59


@pytest.mark.parametrize(("day", "tax"), [("2026-03-31", "8.125"), ("2026-04-01", "9.75")])
def test_exercise_is_taxed_on_what_the_option_is_worth_with_its_date(day: str, tax: str) -> None:
    """6,500 rupees: 0.125 % of it, 0.15 % since April 2026; brokerage of 20 rupees and GST on that."""
    assert exercise_charges(D(6_500), date.fromisoformat(day)) == D(tax) + D("23.6")


def test_the_tax_is_kept_to_a_ten_thousandth() -> None:
    assert exercise_charges(D("0.1"), DAY) == D("0.0002") + D("23.6")  # 0.00015, to the even
    assert exercise_charges(D("0.01"), DAY) == D("23.6")


@pytest.mark.parametrize("intrinsic", [0, -1])
def test_what_expires_worthless_costs_nothing(intrinsic: int) -> None:
    assert exercise_charges(D(intrinsic), DAY) == 0


@pytest.mark.parametrize("fee", Fee)
def test_every_fee_has_a_row_for_every_day_in_order(fee: Fee) -> None:
    since = [row.since for row in FEES if row.fee is fee]
    assert since == sorted(set(since))
    assert fee_row(fee, date.min).since == since[0] == date.min
    assert fee_row(fee, date.max).since == since[-1]


def test_what_is_not_confirmed_says_so() -> None:
    assert {(row.fee, row.amount) for row in FEES if not row.confirmed} == {
        (Fee.DEPOSITORY, D(13)),
        (Fee.EXERCISE_TAX, D("0.00125")),
        (Fee.EXERCISE_BROKERAGE, D(20)),
    }
    assert fee_row(Fee.DEBIT_BROKERAGE, DAY).amount == 40
