"""Our decoder equals kiteconnect's own parser in every field, on official and on generated packets."""

from __future__ import annotations

import base64
import struct
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiteconnect import KiteTicker

from brokers.zerodha.frames import FrameDecoder
from models.messages.ticks import Level, Mode, Tick, to_rupees
from sandbox.frames import frames, packet
from tests.shared_data import shared_data

PARSER = KiteTicker("key", "token")
MODES = {Mode.LTP: "ltp", Mode.QUOTE: "quote", Mode.FULL: "full"}
SEGMENTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12)
LENGTHS = (8, 28, 32, 44, 184)


def frame(*bodies: bytes) -> bytes:
    """A binary frame of packets."""
    return struct.pack(">H", len(bodies)) + b"".join(struct.pack(">H", len(body)) + body for body in bodies)


def rupees(units: int) -> float:
    return float(to_rupees(units))


def as_kite(tick: Tick, length: int) -> dict[str, Any]:
    """The tick in the shape of kiteconnect's dictionaries."""
    found: dict[str, Any] = {
        "tradable": tick.tradable,
        "mode": MODES[tick.mode],
        "instrument_token": tick.instrument_token,
        "last_price": rupees(tick.last_price_units),
    }
    if length == 8:
        return found
    found["ohlc"] = {name: rupees(getattr(tick, f"{name}_units")) for name in ("open", "high", "low", "close")}
    if length >= 44:
        found |= {
            "last_traded_quantity": tick.last_quantity,
            "average_traded_price": rupees(tick.average_price_units),
            "volume_traded": tick.volume,
            "total_buy_quantity": tick.total_buy_quantity,
            "total_sell_quantity": tick.total_sell_quantity,
        }
    if length in (32, 184):
        found["exchange_timestamp"] = local(tick.exchange_time)
    if length == 184:
        found |= {
            "last_trade_time": local(tick.last_trade_time),
            "oi": tick.oi,
            "oi_day_high": tick.oi_day_high,
            "oi_day_low": tick.oi_day_low,
            "depth": {"buy": list(map(level, tick.buy)), "sell": list(map(level, tick.sell))},
        }
    return found


def local(seconds: int) -> datetime:
    """What kiteconnect makes of a time: naive, in the host's zone."""
    return datetime.fromtimestamp(seconds)  # noqa: DTZ006


def level(one: Level) -> dict[str, Any]:
    return {"quantity": one.quantity, "price": rupees(one.price_units), "orders": one.orders}


def assert_equal(body: bytes) -> None:
    """Every field of kiteconnect's tick, prices compared to 1/10,000 rupee, our resolution."""
    theirs = PARSER._parse_binary(frame(body))[0]
    ours = as_kite(FrameDecoder().decode(frame(body))[0], len(body))
    change = theirs.pop("change", None)
    assert rounded(ours) == rounded(theirs)
    if change is not None:
        close, last = ours["ohlc"]["close"], ours["last_price"]
        assert change == pytest.approx((last - close) * 100 / close if close else 0, rel=1e-3, abs=1e-3)


def rounded(value: Any) -> Any:
    """Floats as decimals with four places, everywhere below."""
    if isinstance(value, float):
        return Decimal(repr(value)).quantize(Decimal("0.0001"), "ROUND_HALF_UP")
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["ticker_full.packet", "ticker_quote.packet"])
def test_official_packet(name: str) -> None:
    assert_equal(base64.b64decode(shared_data("kiteconnect-mocks", name).read_text()))


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    length, segment = draw(st.sampled_from(LENGTHS)), draw(st.sampled_from(SEGMENTS))
    token = draw(st.integers(0, 2**24 - 1)) * 256 + segment
    return struct.pack(">I", token) + draw(st.binary(min_size=length - 4, max_size=length - 4))


@given(packets())
def test_generated_packet(body: bytes) -> None:
    assert_equal(body)


@given(st.lists(packets(), max_size=5))
def test_several_packets_in_a_frame_come_in_order(bodies: list[bytes]) -> None:
    different = list({body[:4]: body for body in bodies}.values())
    found = FrameDecoder().decode(frame(*different))
    assert [one.instrument_token for one in found] == [int.from_bytes(body[:4], "big") for body in different]


@given(st.binary(max_size=400))
def test_any_bytes_are_decoded_or_counted_never_raised(payload: bytes) -> None:
    decoder = FrameDecoder()
    found = decoder.decode(payload)
    count = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 0
    assert len(found) + decoder.repeated <= count
    if count and not found:
        assert decoder.refused or decoder.repeated


def test_truncated_and_unknown_packets_are_counted_and_the_others_kept() -> None:
    good = struct.pack(">II", 408_065, 150_000)
    decoder = FrameDecoder()
    assert [one.last_price for one in decoder.decode(frame(b"12345", good))] == [Decimal(1500)]
    assert decoder.decode(frame(good)[:-1]) == []
    assert decoder.refused == 2


def test_exact_repeat_is_dropped_and_ticks_are_numbered_per_instrument() -> None:
    decoder = FrameDecoder()
    one, two, other = (struct.pack(">II", *row) for row in ((408_065, 1), (408_065, 2), (2_953_217, 1)))
    found = [tick for body in (one, one, other, two) for tick in decoder.decode(frame(body))]
    assert [(tick.instrument_token, tick.sequence) for tick in found] == [(408_065, 1), (2_953_217, 1), (408_065, 2)]
    assert decoder.repeated == 1


def test_heartbeat_has_no_ticks() -> None:
    decoder = FrameDecoder()
    assert decoder.decode(b"\x00") == []
    assert decoder.refused == 0


paise = st.integers(0, 10_000_000).map(lambda value: value * 100)
ticks = st.builds(
    Tick,
    instrument_token=st.integers(1, 2**20).map(lambda number: number * 256 + 1),
    sequence=st.just(1),
    mode=st.just(Mode.FULL),
    tradable=st.just(True),
    last_price_units=paise,
    last_quantity=st.integers(0, 2**31),
    average_price_units=paise,
    volume=st.integers(0, 2**31),
    total_buy_quantity=st.integers(0, 2**31),
    total_sell_quantity=st.integers(0, 2**31),
    open_units=paise,
    high_units=paise,
    low_units=paise,
    close_units=paise,
    last_trade_time=st.integers(0, 2**31),
    oi=st.integers(0, 2**31),
    oi_day_high=st.integers(0, 2**31),
    oi_day_low=st.integers(0, 2**31),
    exchange_time=st.integers(0, 2**31),
    buy=st.tuples(*[st.builds(Level, paise, st.integers(0, 2**31), st.integers(0, 65_535))] * 5),
    sell=st.tuples(*[st.builds(Level, paise, st.integers(0, 2**31), st.integers(0, 65_535))] * 5),
)


@given(ticks)
def test_what_the_sandbox_writes_is_what_the_decoder_reads(tick: Tick) -> None:
    found = [one for raw in frames([packet(tick, Mode.FULL)]) for one in FrameDecoder().decode(raw)]
    assert found == [tick]
