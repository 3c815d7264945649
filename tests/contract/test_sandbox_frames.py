"""What the sandbox writes is what kiteconnect's own parser reads: every mode, segment and price divisor."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiteconnect import KiteTicker

from models.messages.ticks import Level, Mode, Tick, to_rupees
from sandbox.frames import MOST_PACKETS, frames, packet

PARSER = KiteTicker("key", "token")
INDICES = 9
UNITS_PER_WIRE = {3: Decimal("0.001"), 6: Decimal(1), 12: Decimal(1)}  # else one paisa, 100 units
QUANTITIES = {
    "last_traded_quantity": "last_quantity",
    "volume_traded": "volume",
    "total_buy_quantity": "total_buy_quantity",
    "total_sell_quantity": "total_sell_quantity",
}
counts = st.integers(0, 2**32 - 1)
segments = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 12])


def exact_prices(segment: int) -> st.SearchStrategy[int]:
    """Prices the segment's packets can carry exactly, in 1/10,000 rupee."""
    unit = UNITS_PER_WIRE.get(segment, Decimal(100))
    most = int((2**32 - 1) * unit)
    step = max(1, int(unit))
    return st.integers(0, most // step).map(lambda number: number * step)


@st.composite
def ticks(draw: st.DrawFn, segment: int | None = None) -> Tick:
    segment = draw(segments) if segment is None else segment
    prices = exact_prices(segment)
    sides = st.lists(st.builds(Level, prices, counts, st.integers(0, 2**16 - 1)), max_size=5).map(tuple)
    four = sorted(draw(prices) for _ in range(4))
    token = draw(st.integers(1, 2**24 - 1)) * 256 + segment
    tradable = segment != INDICES
    return Tick(
        token, 1, Mode.FULL, tradable, draw(prices), draw(counts), draw(prices), draw(counts), draw(counts),
        draw(counts), four[1], four[3], four[0], four[2], draw(st.integers(1, 2**31)), draw(counts),
        draw(counts), draw(counts), draw(st.integers(1, 2**31)), draw(sides), draw(sides),
    )  # fmt: skip


def parsed(tick: Tick, mode: Mode) -> dict[str, Any]:
    (frame,) = frames([packet(tick, mode)])
    (found,) = PARSER._parse_binary(frame)
    return dict(found)


def assert_price(found: float, units: int) -> None:
    """The parser divides floats: equal at the resolution of 1/10,000 rupee."""
    assert Decimal(repr(found)).quantize(Decimal("0.0001")) == to_rupees(units)


def assert_basic(found: dict[str, Any], tick: Tick, mode: str) -> None:
    assert (found["instrument_token"], found["mode"], found["tradable"]) == (
        tick.instrument_token,
        mode,
        tick.tradable,
    )
    assert_price(found["last_price"], tick.last_price_units)
    for name, price in found.get("ohlc", {}).items():
        assert_price(price, getattr(tick, f"{name}_units"))


@given(ticks())
def test_ltp(tick: Tick) -> None:
    found = parsed(tick, Mode.LTP)
    assert_basic(found, tick, "ltp")
    assert "ohlc" not in found


@given(ticks())
def test_quote(tick: Tick) -> None:
    found = parsed(tick, Mode.QUOTE)
    assert_basic(found, tick, "quote")
    assert_price(found["average_traded_price"], tick.average_price_units)
    assert [found[name] for name in QUANTITIES] == [getattr(tick, field) for field in QUANTITIES.values()]
    assert set(found["ohlc"]) == {"open", "high", "low", "close"}


@given(ticks())
def test_full(tick: Tick) -> None:
    found = parsed(tick, Mode.FULL)
    assert_basic(found, tick, "full")
    assert [found[name] for name in QUANTITIES] == [getattr(tick, field) for field in QUANTITIES.values()]
    assert [found[name] for name in ("oi", "oi_day_high", "oi_day_low")] == [
        tick.oi,
        tick.oi_day_high,
        tick.oi_day_low,
    ]
    assert int(found["last_trade_time"].timestamp()) == tick.last_trade_time
    assert int(found["exchange_timestamp"].timestamp()) == tick.exchange_time
    for name in ("buy", "sell"):
        levels: tuple[Level, ...] = getattr(tick, name)
        padded = [*levels, *[Level(0, 0, 0)] * (5 - len(levels))]
        for entry, level in zip(found["depth"][name], padded, strict=True):
            assert (entry["quantity"], entry["orders"]) == (level.quantity, level.orders)
            assert_price(entry["price"], level.price_units)


@pytest.mark.parametrize("mode", [Mode.QUOTE, Mode.FULL])
@given(tick=ticks(INDICES))
def test_index(mode: Mode, tick: Tick) -> None:
    change = (tick.last_price_units - tick.close_units) // 100
    if abs(change) >= 2**31:
        return
    found = parsed(tick, mode)
    assert_basic(found, tick, "quote" if mode is Mode.QUOTE else "full")
    if mode is Mode.FULL:
        assert int(found["exchange_timestamp"].timestamp()) == tick.exchange_time


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (MOST_PACKETS, [MOST_PACKETS])])
def test_packets_are_grouped_into_frames(count: int, sizes: list[int]) -> None:
    tick = Tick(257, 1, Mode.FULL, True, 100)
    found = list(frames([packet(tick, Mode.LTP)] * count))
    assert [len(PARSER._parse_binary(frame)) for frame in found] == sizes


def test_more_packets_than_a_frame_holds_take_several() -> None:
    tick = Tick(257, 1, Mode.FULL, True, 100)
    found = list(frames([packet(tick, Mode.FULL)] * (MOST_PACKETS + 1)))
    assert [len(PARSER._parse_binary(frame)) for frame in found] == [MOST_PACKETS, 1]
