"""Instruments for symbols of which nothing but the name is known."""

from __future__ import annotations

from decimal import Decimal

from trading.market.instrument_dump import SEGMENT_NUMBERS
from trading.market.instruments import Instrument

FIRST_EXCHANGE_TOKEN = 1001


def equity(tradingsymbol: str, number: int, tick_size: Decimal) -> Instrument:
    """An NSE equity with the `number`-th exchange token."""
    return _listed(tradingsymbol, number, "NSE", tick_size, lot_size=1)


def index(tradingsymbol: str, number: int) -> Instrument:
    """An index, which is not tradable."""
    return _listed(tradingsymbol, number, "INDICES", Decimal(0), lot_size=0)


def _listed(tradingsymbol: str, number: int, segment: str, tick_size: Decimal, lot_size: int) -> Instrument:
    exchange_token = FIRST_EXCHANGE_TOKEN + number
    return Instrument(
        instrument_token=exchange_token * 256 + SEGMENT_NUMBERS[segment],
        exchange_token=exchange_token,
        exchange="NSE",
        tradingsymbol=tradingsymbol,
        name=tradingsymbol,
        segment=segment,
        instrument_type="EQ",
        tick_size=tick_size,
        lot_size=lot_size,
    )
