"""Margin an order or a position needs: a simple model of its own, in whole and fractional units.

Delivery is paid in full, intraday at a percentage of the value. Futures and written options need a percentage of the
contract value for SPAN and one for exposure; an option that is bought costs its premium.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from models.messages.ticks import to_units
from sandbox.matching import OPTIONS
from sandbox.rules import Rules
from sandbox.vocabulary import Product, Side
from trading.market.instruments import Instrument

INTRADAY = (Product.MIS, Product.CO)
ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Requirement:
    """Margin by kind, units. `var` is what cash instruments need."""

    span: Fraction = ZERO
    exposure: Fraction = ZERO
    option_premium: Fraction = ZERO
    var: Fraction = ZERO
    leverage: int = 1

    @property
    def total(self) -> Fraction:
        """All of it."""
        return self.span + self.exposure + self.option_premium + self.var

    def plus(self, other: Requirement) -> Requirement:
        """Both."""
        return Requirement(
            self.span + other.span,
            self.exposure + other.exposure,
            self.option_premium + other.option_premium,
            self.var + other.var,
        )


NOTHING = Requirement()


def requirement(
    rules: Rules, instrument: Instrument, side: Side, product: Product, quantity: int, price: int
) -> Requirement:
    """What `quantity` units opened at a price need."""
    value = Fraction(quantity * price)
    if instrument.instrument_type in OPTIONS and side is Side.BUY:
        return Requirement(option_premium=value)
    if instrument.instrument_type != "EQ":
        return _contract(rules, instrument, quantity, price)
    if product in INTRADAY:
        percent = Fraction(rules.intraday_percent)
        return Requirement(var=value * percent / 100, leverage=int(100 / percent))
    return Requirement(var=value) if side is Side.BUY else NOTHING


def _contract(rules: Rules, instrument: Instrument, quantity: int, price: int) -> Requirement:
    underlying = to_units(instrument.strike) if instrument.instrument_type in OPTIONS else price
    value = Fraction(quantity * underlying)
    return Requirement(
        span=value * Fraction(rules.span_percent) / 100, exposure=value * Fraction(rules.exposure_percent) / 100
    )
