"""Money inside the exchange is integers of 1/10,000 rupee (`units`); JSON numbers are made here, at the edge only."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from models.messages.ticks import PRICE_SCALE

UNITS = PRICE_SCALE
Number = int | float


def number(value: Fraction | Decimal | int) -> Number:
    """A JSON number as Kite writes it: whole ones without a point."""
    whole = int(value)
    return whole if whole == value else float(value)


def rupees(units: Fraction | int) -> Number:
    """Units as rupees in JSON."""
    return number(Fraction(units) / UNITS)


def average(value: int, quantity: int) -> Fraction:
    """Average price in units; 0 of nothing."""
    return Fraction(value, quantity) if quantity else Fraction(0)


def down(units: Fraction | Decimal | int, step: int) -> int:
    """The largest multiple of `step` that is not above `units`."""
    return int(Fraction(units) // step * step)


def up(units: Fraction | Decimal | int, step: int) -> int:
    """The smallest multiple of `step` that is not below `units`."""
    return -down(-Fraction(units), step)


def shown(units: Fraction | int) -> str:
    """Rupees with two decimals, as messages name them."""
    return f"{Decimal(round(Fraction(units) / UNITS * 100)).scaleb(-2):.2f}"
