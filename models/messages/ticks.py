"""`market.ticks`: frames of ticks as they flow, msgpack arrays of integers.

Prices are integers in 1/10,000 rupee (`PRICE_SCALE`), the finest divisor Kite uses, so no price is
ever a float. Times are whole epoch seconds, the resolution of the packets.
"""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum

import msgspec

from models.messages.validation import MAX_PRICE_UNITS, MAX_QUANTITY, Count, Nanoseconds, PriceUnits, Seconds, Text

PRICE_SCALE = 10_000
FRAME_VERSION = 1


class Mode(IntEnum):
    """Detail a packet carries, as Kite names it."""

    LTP = 1
    QUOTE = 2
    FULL = 3


def to_rupees(units: int) -> Decimal:
    """Exact rupees of a price in 1/10,000 rupee."""
    return Decimal(units).scaleb(-4)


def to_units(rupees: Decimal) -> int:
    """Price in 1/10,000 rupee; ValueError when it is no multiple of that."""
    units = rupees * PRICE_SCALE
    if not units.is_finite() or units != int(units):
        raise ValueError(f"Price {rupees} is no multiple of 1/{PRICE_SCALE} rupee")
    return int(units)


class Level(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One price level of the book."""

    price_units: PriceUnits
    quantity: Count
    orders: Count

    @property
    def price(self) -> Decimal:
        """Level price in rupees."""
        return to_rupees(self.price_units)


class Tick(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One packet of one instrument, every field of Kite's FULL packet.

    `sequence` counts the instrument's ticks within one run of the feed, from 1. Fields a packet does
    not carry are 0 or empty (`mode` tells which those are). For indices only the prices, the change
    and the exchange time are set. `close_units` is the previous session's close.
    """

    instrument_token: Count
    sequence: Count
    mode: Mode
    tradable: bool
    last_price_units: PriceUnits
    last_quantity: Count = 0
    average_price_units: PriceUnits = 0
    volume: Count = 0
    total_buy_quantity: Count = 0
    total_sell_quantity: Count = 0
    open_units: PriceUnits = 0
    high_units: PriceUnits = 0
    low_units: PriceUnits = 0
    close_units: PriceUnits = 0
    last_trade_time: Seconds = 0
    oi: Count = 0
    oi_day_high: Count = 0
    oi_day_low: Count = 0
    exchange_time: Seconds = 0
    buy: tuple[Level, ...] = ()
    sell: tuple[Level, ...] = ()

    @property
    def last_price(self) -> Decimal:
        """Last traded price in rupees."""
        return to_rupees(self.last_price_units)

    @property
    def close(self) -> Decimal:
        """Previous session's close in rupees."""
        return to_rupees(self.close_units)


class TickFrame(msgspec.Struct, array_like=True, frozen=True):
    """One message of `market.ticks`: a header and the ticks of one partition.

    `sequence` counts the frames of one partition within one run, from 1. `event_time` is the feed's
    clock, the highest exchange time seen, in epoch seconds: an empty frame moves it. `received_ns`
    is the wall clock, for latency only, never for a decision.
    """

    version: int
    id: Text
    run_id: Text
    sequence: Count
    event_time: Seconds
    received_ns: Nanoseconds
    broker: Text
    ticks: tuple[Tick, ...] = ()


__all__ = [
    "FRAME_VERSION",
    "MAX_PRICE_UNITS",
    "MAX_QUANTITY",
    "PRICE_SCALE",
    "Level",
    "Mode",
    "Tick",
    "TickFrame",
    "to_rupees",
    "to_units",
]
