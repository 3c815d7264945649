"""Ticks on the wire: integers only, within bounds, and every field there."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from models.messages.ticks import FRAME_VERSION, MAX_PRICE_UNITS, MAX_QUANTITY, Level, Mode, Tick, TickFrame
from models.messages.ticks import to_rupees as rupees
from models.messages.ticks import to_units as units
from tests import factories as build

NUMBERS = {name: number for number, name in enumerate(Tick.__struct_fields__[4:19], 3)}
FULL = msgspec.convert(
    [1, 2, Mode.FULL, True, *NUMBERS.values(), build.levels(1, 2), build.levels(3, 4)], Tick, from_attributes=True
)


def frame(*ticks: Tick) -> TickFrame:
    return TickFrame(FRAME_VERSION, "id", "run", 1, build.AT, 1, "shared", ticks)


def test_a_frame_comes_back_as_it_was_sent() -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(frame(FULL)), type=TickFrame) == frame(FULL)


@pytest.mark.parametrize("number", range(len(Tick.__struct_fields__)))
def test_no_field_of_a_tick_takes_nonsense(number: int) -> None:
    fields = msgspec.to_builtins(FULL)
    for bad in (float("nan"), 1.5, -1, "x", 2**64 - 1, [[1.5, 1, 1]], None):
        changed = [*fields[:number], bad, *fields[number + 1 :]]
        with pytest.raises(msgspec.ValidationError):
            msgspec.msgpack.decode(msgspec.msgpack.encode(changed), type=Tick)


@pytest.mark.parametrize("number", range(1, len(TickFrame.__struct_fields__)))
def test_no_field_of_a_frame_takes_nonsense(number: int) -> None:
    fields = msgspec.to_builtins(frame(FULL))
    for bad in (float("nan"), None, 2**64 - 1, [[1]]):
        changed = [*fields[:number], bad, *fields[number + 1 :]]
        with pytest.raises(msgspec.ValidationError):
            msgspec.msgpack.decode(msgspec.msgpack.encode(changed), type=TickFrame)


@pytest.mark.parametrize(
    ("level", "fits"),
    [
        (Level(MAX_PRICE_UNITS, MAX_QUANTITY, 0), True),
        (Level(MAX_PRICE_UNITS + 1, 1, 1), False),
        (Level(1, MAX_QUANTITY + 1, 1), False),
        (Level(-1, 1, 1), False),
    ],
)
def test_bounds_of_a_level(level: Level, fits: bool) -> None:
    raw = msgspec.msgpack.encode(level)
    if fits:
        assert msgspec.msgpack.decode(raw, type=Level) == level
    else:
        with pytest.raises(msgspec.ValidationError):
            msgspec.msgpack.decode(raw, type=Level)


def test_every_price_of_a_binary_packet_fits() -> None:
    assert MAX_PRICE_UNITS >= (2**32 - 1) * 100  # unsigned 32 bits of paise


def test_prices_in_rupees_are_exact() -> None:
    tick = build.tick(15_000_500, close_units=1)
    assert (tick.last_price, tick.close) == (Decimal("1500.05"), Decimal("0.0001"))
    assert build.levels(500, 1)[0].price == Decimal("0.05")


@pytest.mark.parametrize(("value", "expected"), [("0", 0), ("0.0001", 1), ("1500.05", 15_000_500), ("-1", -10_000)])
def test_rupees_and_units_convert_both_ways(value: str, expected: int) -> None:
    assert units(Decimal(value)) == expected
    assert rupees(expected) == Decimal(value)


@pytest.mark.parametrize("value", ["0.00001", "1.00005", "NaN", "Infinity"])
def test_what_is_no_multiple_of_a_unit_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=value):
        units(Decimal(value))
