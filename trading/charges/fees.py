"""Charges that no order's turnover explains, as dated rows in rupees or fractions, GST included where it applies.

Sources: Zerodha's list of charges (depository, auto square-off), the Finance Acts of 2019 and 2026 (exercise), staff
answers on tradingqna (brokerage on exercise). A row that a second source has not confirmed says so.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec

from trading.charges.rates import GST

ZERO = Decimal(0)
FINEST = Decimal("0.0001")


class Fee(StrEnum):
    """What is charged."""

    DEPOSITORY = "depository"  # rupees per share and day on which it leaves the demat account
    AUTO_SQUARE_OFF = "auto-square-off"  # rupees per order the broker places to close an intraday position
    DEBIT_BROKERAGE = "debit-brokerage"  # rupees of brokerage per F&O order while the account is in debit
    EXERCISE_TAX = "exercise-tax"  # fraction of the intrinsic value of an exercised option
    EXERCISE_BROKERAGE = "exercise-brokerage"  # rupees per exercised position


class FeeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A fee from a date on, without GST."""

    fee: Fee
    since: date
    amount: Decimal
    confirmed: bool


def _row(fee: Fee, since: str, amount: str, *, confirmed: bool) -> FeeRow:
    return FeeRow(fee=fee, since=date.fromisoformat(since), amount=Decimal(amount), confirmed=confirmed)


FEES = (
    _row(Fee.DEPOSITORY, "0001-01-01", "13", confirmed=False),
    _row(Fee.AUTO_SQUARE_OFF, "0001-01-01", "50", confirmed=True),
    _row(Fee.DEBIT_BROKERAGE, "0001-01-01", "40", confirmed=True),
    _row(Fee.EXERCISE_TAX, "0001-01-01", "0.00125", confirmed=False),
    _row(Fee.EXERCISE_TAX, "2026-04-01", "0.0015", confirmed=True),
    _row(Fee.EXERCISE_BROKERAGE, "0001-01-01", "20", confirmed=False),
)


def fee_row(fee: Fee, day: date) -> FeeRow:
    """The row in force on `day`."""
    return [row for row in FEES if row.fee is fee and row.since <= day][-1]


def dp_charge(day: date) -> Decimal:
    """Rupees for a share delivered from the demat account on `day`, whatever the quantity, GST included."""
    return _with_gst(fee_row(Fee.DEPOSITORY, day).amount)


def square_off_charge(day: date) -> Decimal:
    """Rupees for one order with which the broker closes an intraday position, GST included."""
    return _with_gst(fee_row(Fee.AUTO_SQUARE_OFF, day).amount)


def exercise_charges(intrinsic: Decimal, day: date) -> Decimal:
    """Rupees for exercising an option worth `intrinsic` rupees at expiry; none for one that expires worthless."""
    if intrinsic <= 0:
        return ZERO
    tax = (intrinsic * fee_row(Fee.EXERCISE_TAX, day).amount).quantize(FINEST)
    return tax + _with_gst(fee_row(Fee.EXERCISE_BROKERAGE, day).amount)


def _with_gst(amount: Decimal) -> Decimal:
    return amount + amount * GST
