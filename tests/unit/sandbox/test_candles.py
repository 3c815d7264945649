"""Candles of the ticks played, and their intervals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.messages.ticks import Mode, Tick
from sandbox.candles import MINUTES, Candle, Candles, candle_stamp, interval_start
from tests.floor import OPENING


def tick(second: int, price: int, volume: int, oi: int = 0) -> Tick:
    return Tick(1, 1, Mode.FULL, True, price, volume=volume, exchange_time=OPENING + second, oi=oi)


def test_minute_has_its_first_highest_lowest_and_last_price_and_the_volume_between() -> None:
    candles = Candles()
    candles.note([tick(0, 100, 10), tick(20, 130, 15), tick(59, 90, 40, oi=7)])
    candles.note([tick(60, 95, 45), tick(200, 96, 45)])
    assert list(candles.minutes(1)) == [
        Candle(OPENING, 100, 130, 90, 90, 40, 7),
        Candle(OPENING + 60, 95, 95, 95, 95, 5, 0),
        Candle(OPENING + 180, 96, 96, 96, 96, 0, 0),
    ]
    assert list(candles.minutes(2)) == []


@pytest.mark.parametrize(
    ("second", "minutes", "start"),
    [(0, 3, 0), (179, 3, 0), (180, 3, 180), (3599, 60, 0), (3600, 60, 3600), (5 * 3600, 1440, -33_300), (-1, 5, -300)],
)
def test_intervals_are_counted_from_the_opening(second: int, minutes: int, start: int) -> None:
    assert interval_start(OPENING + second, minutes) == OPENING + start


def test_times_are_written_with_the_offset() -> None:
    assert candle_stamp(OPENING) == "2026-08-20T09:15:00+0530"


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 50), st.integers(0, 9)), max_size=60),
    st.sampled_from(sorted(MINUTES)),
)
def test_intervals_hold_what_their_ticks_held(steps: list[tuple[int, int, int]], interval: str) -> None:
    candles, second, volume, seen = Candles(), 0, 0, list[Tick]()
    for wait, price, quantity in steps:
        second, volume = second + wait, volume + quantity
        seen.append(tick(second, price, volume))
        candles.note(seen[-1:])
    found = list(candles.intervals(1, interval))
    assert sum(one.volume for one in found) == volume
    for one in found:
        prices = [
            item.last_price_units
            for item in seen
            if interval_start(item.exchange_time // 60 * 60, MINUTES[interval]) == one.start
        ]
        assert (one.open, one.high, one.low, one.close) == (prices[0], max(prices), min(prices), prices[-1])
    assert len({one.start for one in found}) == len(found)
