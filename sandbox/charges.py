"""Charges of a virtual contract note, from Zerodha's list of charges. Written independently of the product's tables.

Rates are fractions of the turnover. Securities transaction tax on contracts changed on 2026-04-01 with the budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from sandbox.matching import OPTIONS
from sandbox.money import UNITS
from sandbox.vocabulary import Product, Side
from trading.market.instruments import EQUITY, Instrument

BUDGET_OF_2026 = date(2026, 4, 1)
SEBI = Fraction(1, 1_000_000)
GST = Fraction(18, 100)
FLAT = Fraction(20 * UNITS)
DELIVERY = (Product.CNC, Product.MTF)


def _percent(text: str) -> Fraction:
    return Fraction(text) / 100


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates of one kind of trade. `tax_buy` and `tax_sell` are securities transaction tax."""

    brokerage: Fraction
    tax_buy: Fraction
    tax_sell: Fraction
    stamp: Fraction
    exchange: dict[str, Fraction]
    is_flat: bool = False


CASH = {"NSE": _percent("0.00307"), "BSE": _percent("0.00375")}
INTRADAY = Rates(_percent("0.03"), Fraction(0), _percent("0.025"), _percent("0.003"), CASH)
DELIVERED = Rates(Fraction(0), _percent("0.1"), _percent("0.1"), _percent("0.015"), CASH)
FUTURES_EXCHANGE = {"NFO": _percent("0.00183"), "BFO": Fraction(0)}
OPTIONS_EXCHANGE = {"NFO": _percent("0.03553"), "BFO": _percent("0.0325")}


@dataclass(frozen=True, slots=True)
class Charges:
    """What one order costs, units."""

    transaction_tax: Fraction
    exchange_turnover: Fraction
    sebi_turnover: Fraction
    brokerage: Fraction
    stamp_duty: Fraction

    @property
    def gst(self) -> Fraction:
        """On the services."""
        return GST * (self.brokerage + self.exchange_turnover + self.sebi_turnover)

    @property
    def total(self) -> Fraction:
        """All of it."""
        fees = self.exchange_turnover + self.sebi_turnover + self.brokerage
        return self.transaction_tax + fees + self.stamp_duty + self.gst


def charges(instrument: Instrument, side: Side, product: Product, quantity: int, price: int, day: date) -> Charges:
    """Charges of one executed order at a price in units, not rounded."""
    rates, value = _rates(instrument, product, day), Fraction(quantity * price)
    brokerage = FLAT if rates.is_flat else min(FLAT, value * rates.brokerage)
    return Charges(
        transaction_tax=value * (rates.tax_buy if side is Side.BUY else rates.tax_sell),
        exchange_turnover=value * rates.exchange.get(instrument.exchange, Fraction(0)),
        sebi_turnover=value * SEBI,
        brokerage=brokerage if quantity else Fraction(0),
        stamp_duty=value * rates.stamp if side is Side.BUY else Fraction(0),
    )


def _rates(instrument: Instrument, product: Product, day: date) -> Rates:
    if instrument.instrument_type == EQUITY:
        return DELIVERED if product in DELIVERY else INTRADAY
    is_new = day >= BUDGET_OF_2026
    if instrument.instrument_type in OPTIONS:
        tax = _percent("0.15" if is_new else "0.1")
        return Rates(Fraction(0), Fraction(0), tax, _percent("0.003"), OPTIONS_EXCHANGE, is_flat=True)
    tax = _percent("0.05" if is_new else "0.02")
    return Rates(_percent("0.03"), Fraction(0), tax, _percent("0.002"), FUTURES_EXCHANGE)
