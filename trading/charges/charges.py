"""What an executed order costs."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from models.messages.orders import Product, Side
from trading.charges.rates import GST, SEBI, SegmentKind, rates_for

FINEST = Decimal("0.0001")
ZERO = Decimal(0)


class Charges(msgspec.Struct, frozen=True, kw_only=True):
    """Breakdown in rupees, each part to 1/10,000 rupee (contract notes round STT and stamp to the rupee)."""

    brokerage: Decimal
    stt: Decimal
    transaction: Decimal
    sebi: Decimal
    stamp: Decimal
    gst: Decimal

    @property
    def total(self) -> Decimal:
        """All parts."""
        return self.brokerage + self.stt + self.transaction + self.sebi + self.stamp + self.gst


def segment_kind(instrument_type: str, product: Product) -> SegmentKind:
    """The kind of an instrument (`EQ`, `FUT`, `CE`, `PE`) traded under a product."""
    if instrument_type == "FUT":
        return SegmentKind.FUTURES
    if instrument_type in ("CE", "PE"):
        return SegmentKind.OPTIONS
    return SegmentKind.EQUITY_DELIVERY if product is Product.CNC else SegmentKind.EQUITY_INTRADAY


def charges_for(kind: SegmentKind, exchange: str, side: Side, turnover: Decimal, day: date) -> Charges:
    """Charges of one executed order with this turnover (for options: premium turnover) in rupees."""
    rates = rates_for(kind, day)
    if turnover <= 0:
        return Charges(brokerage=ZERO, stt=ZERO, transaction=ZERO, sebi=ZERO, stamp=ZERO, gst=ZERO)
    buys = side is Side.BUY
    brokerage = rates.brokerage_most
    if rates.brokerage_rate is not None:
        brokerage = min(turnover * rates.brokerage_rate, rates.brokerage_most)
    transaction = turnover * rates.transaction.get("BSE" if exchange.startswith("B") else "NSE", ZERO)
    sebi = turnover * SEBI
    return Charges(
        brokerage=_round(brokerage),
        stt=_round(turnover * (rates.stt_buy if buys else rates.stt_sell)),
        transaction=_round(transaction),
        sebi=_round(sebi),
        stamp=_round(turnover * rates.stamp_buy) if buys else ZERO,
        gst=_round((brokerage + transaction + sebi) * GST),
    )


def _round(amount: Decimal) -> Decimal:
    return amount.quantize(FINEST, ROUND_HALF_UP)
