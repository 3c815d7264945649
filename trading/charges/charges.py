"""What an executed order costs."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from models.messages.orders import Product, Side
from trading.charges.rates import GST, SEBI, SegmentKind, rates_for

FINEST = Decimal("0.0001")
RUPEE = Decimal(1)
ZERO = Decimal(0)


class Charges(msgspec.Struct, frozen=True, kw_only=True):
    """Breakdown in rupees, each part to 1/10,000 rupee."""

    brokerage: Decimal = ZERO
    stt: Decimal = ZERO
    transaction: Decimal = ZERO
    sebi: Decimal = ZERO
    stamp: Decimal = ZERO
    gst: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """All parts."""
        return self.brokerage + self.stt + self.transaction + self.sebi + self.stamp + self.gst

    def __add__(self, other: Charges) -> Charges:
        return Charges(**{part: getattr(self, part) + getattr(other, part) for part in self.__struct_fields__})


def segment_kind(instrument_type: str, product: Product) -> SegmentKind:
    """The kind of an instrument (`EQ`, `FUT`, `CE`, `PE`) traded under a product."""
    if instrument_type == "FUT":
        return SegmentKind.FUTURES
    if instrument_type in ("CE", "PE"):
        return SegmentKind.OPTIONS
    return SegmentKind.EQUITY_DELIVERY if product is Product.CNC else SegmentKind.EQUITY_INTRADAY


def venue(exchange: str) -> str:
    """The exchange whose rates hold: BSE for its own segments, NSE for all others."""
    return "BSE" if exchange in ("BSE", "BFO") else "NSE"


def charges_for(kind: SegmentKind, exchange: str, side: Side, turnover: Decimal, day: date) -> Charges:
    """Charges of one executed order with this turnover (for options: premium turnover) in rupees."""
    if turnover <= 0:
        return Charges()
    rates = rates_for(kind, day)
    buys = side is Side.BUY
    brokerage = rates.brokerage_most
    if rates.brokerage_rate is not None:
        brokerage = min(turnover * rates.brokerage_rate, rates.brokerage_most)
    transaction = turnover * rates.transaction[venue(exchange)]
    sebi = turnover * SEBI
    return Charges(
        brokerage=_round(brokerage),
        stt=_round(turnover * (rates.stt_buy if buys else rates.stt_sell)),
        transaction=_round(transaction),
        sebi=_round(sebi),
        stamp=_round(turnover * rates.stamp_buy) if buys else ZERO,
        gst=_round((brokerage + transaction + sebi) * GST),
    )


def on_contract_note(charges: Charges) -> Charges:
    """A day's charges in one segment as the contract note has them: STT and stamp duty to the rupee.

    The broker's API gives them unrounded; so does everything else here.
    """
    return msgspec.structs.replace(
        charges,
        stt=charges.stt.quantize(RUPEE, ROUND_HALF_UP),
        stamp=charges.stamp.quantize(RUPEE, ROUND_HALF_UP),
    )


def _round(amount: Decimal) -> Decimal:
    return amount.quantize(FINEST, ROUND_HALF_UP)
