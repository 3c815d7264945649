"""A bar's ticks give exactly that bar back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.factories import TOKEN
from trading.market.ticks_from_bars import Bar, DayState, ticks_from_bar

START = 1_471_319_100
prices = st.integers(1, 40_000).map(lambda steps: steps * 500)


@st.composite
def bars(draw: st.DrawFn) -> list[Bar]:
    found = []
    for number in range(draw(st.integers(1, 6))):
        four = sorted(draw(st.tuples(prices, prices, prices, prices)))
        opened, closed = draw(st.permutations(four[1:3]))
        volume = draw(st.integers(0, 10**6))
        found.append(Bar(START + 60 * number, opened, four[3], four[0], closed, volume))
    return found


@given(bars())
def test_bars_are_rebuilt_exactly(expected: list[Bar]) -> None:
    day, volume = DayState(instrument_token=TOKEN, tick_units=500), 0
    for bar in expected:
        ticks = list(ticks_from_bar(bar, day))
        path = [tick.last_price_units for tick in ticks]
        rebuilt = Bar(
            ticks[0].exchange_time // 60 * 60, path[0], max(path), min(path), path[-1], ticks[-1].volume - volume
        )
        volume = ticks[-1].volume
        assert rebuilt == bar


@given(bars())
def test_session_fields_of_the_packets_agree_with_the_ticks(given_bars: list[Bar]) -> None:
    day = DayState(instrument_token=TOKEN, tick_units=500)
    ticks = [tick for bar in given_bars for tick in ticks_from_bar(bar, day)]
    for number, tick in enumerate(ticks, 1):
        seen = [one.last_price_units for one in ticks[:number]]
        assert (tick.open_units, tick.high_units, tick.low_units) == (seen[0], max(seen), min(seen))
        assert tick.volume == sum(one.last_quantity for one in ticks[:number])
        assert tick.sequence == number
    times = [tick.exchange_time for tick in ticks]
    assert times == sorted(times)


@given(bars())
def test_books_are_ordered_and_do_not_cross(given_bars: list[Bar]) -> None:
    day = DayState(instrument_token=TOKEN, tick_units=500)
    for tick in (tick for bar in given_bars for tick in ticks_from_bar(bar, day)):
        bids, asks = [level.price_units for level in tick.buy], [level.price_units for level in tick.sell]
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert max(bids) < min(asks)
        assert min(bids) > 0
