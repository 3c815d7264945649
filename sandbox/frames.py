"""Kite's binary frames, written: one packed struct per packet and mode, grouped into frames.

Source: Kite Connect documentation, "WebSocket streaming". Written independently of the decoder it is tested with.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from models.messages.ticks import Level, Mode, Tick

HEARTBEAT = b"\x00"
MOST_PACKETS = 1_000
_LTP = struct.Struct(">HII")
_INDEX_QUOTE = struct.Struct(">HIIIIIIi")
_INDEX_FULL = struct.Struct(">HIIIIIIiI")
_QUOTE = struct.Struct(">H11I")
_FULL = struct.Struct(">H16I" + "IIHxx" * 10)
_NO_LEVEL = Level(0, 0, 0)
_FINER = {3: 1_000, 6: 1, 12: 1}  # CDS, BCD, NCO: wire units per 1/10,000 rupee; CDS is finer


def packet(tick: Tick, mode: Mode) -> bytes:
    """One packet with its length, in the mode the subscriber asked for."""
    if mode is Mode.LTP:
        return _LTP.pack(8, tick.instrument_token, _wire(tick, tick.last_price_units))
    if not tick.tradable:
        return _index(tick, mode)
    if mode is Mode.QUOTE:
        return _QUOTE.pack(44, *_quote(tick))
    return _full(tick)


def frames(packets: Iterable[bytes]) -> Iterable[bytes]:
    """Packets grouped into frames."""
    waiting = list(packets)
    for start in range(0, len(waiting), MOST_PACKETS):
        part = waiting[start : start + MOST_PACKETS]
        yield struct.pack(">H", len(part)) + b"".join(part)


def _wire(tick: Tick, units: int) -> int:
    finer = _FINER.get(tick.instrument_token & 0xFF)
    return units // 100 if finer is None else units * finer


def _quote(tick: Tick) -> tuple[int, ...]:
    return (
        tick.instrument_token, _wire(tick, tick.last_price_units), tick.last_quantity,
        _wire(tick, tick.average_price_units), tick.volume, tick.total_buy_quantity, tick.total_sell_quantity,
        _wire(tick, tick.open_units), _wire(tick, tick.high_units), _wire(tick, tick.low_units),
        _wire(tick, tick.close_units),
    )  # fmt: skip


def _index(tick: Tick, mode: Mode) -> bytes:
    prices = (tick.last_price_units, tick.high_units, tick.low_units, tick.open_units, tick.close_units)
    change = _wire(tick, tick.last_price_units) - _wire(tick, tick.close_units)
    fields = (tick.instrument_token, *(_wire(tick, price) for price in prices), change)
    if mode is Mode.QUOTE:
        return _INDEX_QUOTE.pack(28, *fields)
    return _INDEX_FULL.pack(32, *fields, tick.exchange_time)


def _full(tick: Tick) -> bytes:
    if (tick.instrument_token & 0xFF) in _FINER:
        return _full_general(tick)
    buy, sell = tick.buy, tick.sell
    if len(buy) != 5 or len(sell) != 5:
        return _full_general(tick)
    b0, b1, b2, b3, b4 = buy
    s0, s1, s2, s3, s4 = sell
    return _FULL.pack(
        184, tick.instrument_token, tick.last_price_units // 100, tick.last_quantity,
        tick.average_price_units // 100, tick.volume, tick.total_buy_quantity, tick.total_sell_quantity,
        tick.open_units // 100, tick.high_units // 100, tick.low_units // 100, tick.close_units // 100,
        tick.last_trade_time, tick.oi, tick.oi_day_high, tick.oi_day_low, tick.exchange_time,
        b0.quantity, b0.price_units // 100, b0.orders, b1.quantity, b1.price_units // 100, b1.orders,
        b2.quantity, b2.price_units // 100, b2.orders, b3.quantity, b3.price_units // 100, b3.orders,
        b4.quantity, b4.price_units // 100, b4.orders, s0.quantity, s0.price_units // 100, s0.orders,
        s1.quantity, s1.price_units // 100, s1.orders, s2.quantity, s2.price_units // 100, s2.orders,
        s3.quantity, s3.price_units // 100, s3.orders, s4.quantity, s4.price_units // 100, s4.orders,
    )  # fmt: skip


def _full_general(tick: Tick) -> bytes:
    """Any segment, any number of levels."""
    levels: list[int] = []
    for side in (tick.buy, tick.sell):
        for level in (*side[:5], *[_NO_LEVEL] * (5 - len(side))):
            levels += (level.quantity, _wire(tick, level.price_units), level.orders)
    times = (tick.last_trade_time, tick.oi, tick.oi_day_high, tick.oi_day_low, tick.exchange_time)
    return _FULL.pack(184, *_quote(tick), *times, *levels)
