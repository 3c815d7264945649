"""Bars are what the ticks say, however the market interleaves them and wherever the builder is stopped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from models.messages.ticks import Tick
from tests.factories import TOKEN
from trading.market.bars import BarBuilder, BarState, Closed
from trading.market.sessions import continuous_hours, trading_day
from trading.market.ticks_from_bars import Bar, DayState, ticks_from_bar, trade

OPEN = 1_471_319_100  # 2016-08-16 09:15 IST
DAY = 86_400
MINUTES = 375
OTHER = TOKEN + 256
prices = st.integers(1, 40_000).map(lambda steps: steps * 500)


def builder(minutes: int = 1, *, fill: bool = False) -> BarBuilder:
    return BarBuilder(minutes, lambda token, at: continuous_hours(None, trading_day(at)), fill=fill)


@st.composite
def bars(draw: st.DrawFn, start: int, least_volume: int) -> Bar:
    four = sorted(draw(st.tuples(prices, prices, prices, prices)))
    opened, closed = draw(st.permutations(four[1:3]))
    return Bar(start, opened, four[3], four[0], closed, draw(st.integers(least_volume, 10**6)))


@st.composite
def sessions(draw: st.DrawFn, *, gaps: bool) -> list[list[Bar]]:
    """Bars of up to three days, from the open on; with gaps each has traded, without any may be empty."""
    days = []
    for day in range(draw(st.integers(1, 3))):
        count = draw(st.integers(1, 8))
        minutes = draw(st.lists(st.integers(0, MINUTES - 1), min_size=1, max_size=count, unique=True))
        chosen = sorted(minutes) if gaps else range(count)
        days.append([draw(bars(OPEN + DAY * day + 60 * minute, int(gaps))) for minute in chosen])
    return days


def ticks_of(days: Iterable[Sequence[Bar]], token: int = TOKEN) -> list[Tick]:
    found = []
    for day in days:
        state = DayState(instrument_token=token, tick_units=500, sequence=len(found))
        found += [tick for bar in day for tick in ticks_from_bar(bar, state)]
    return found


def built(by: BarBuilder, ticks: Iterable[Tick], *, from_open: bool = False) -> list[Closed]:
    """Bars of ticks whose latest time is the market's clock, watched from each day's open or from the first tick."""
    closed: list[Closed] = []
    for tick in ticks:
        opened = tick.exchange_time - (tick.exchange_time - OPEN) % DAY
        if from_open and opened > by.state.clock:
            closed += by.on_clock(opened)
        closed += by.on_tick(tick, max(tick.exchange_time, by.state.clock))
    return [*closed, *by.on_clock(OPEN + 10 * DAY)]


@given(sessions(gaps=True))
def test_bars_of_a_bars_ticks_are_the_bars(days: list[list[Bar]]) -> None:
    expected = [(TOKEN, bar) for day in days for bar in day]
    assert built(builder(), ticks_of(days)) == expected


@given(sessions(gaps=False))
def test_minutes_without_volume_come_back_too_when_they_are_filled(days: list[list[Bar]]) -> None:
    rebuilt = [bar for _, bar in built(builder(fill=True), ticks_of(days))]
    expected = {bar.start: bar for day in days for bar in day}
    assert {bar.start: bar for bar in rebuilt if bar.start in expected} == expected
    assert [bar.start for bar in rebuilt] == [
        OPEN + DAY * day + 60 * minute for day in range(len(days)) for minute in range(MINUTES)
    ]
    for before, bar in pairwise(rebuilt):
        if bar.start not in expected:
            price = before.close_units
            assert bar == Bar(bar.start, price, price, price, price, 0)


def merged(bars_of_day: Sequence[Bar], minutes: int) -> list[Bar]:
    """What longer bars must be, from the minute bars."""
    groups: dict[int, list[Bar]] = {}
    for bar in bars_of_day:
        groups.setdefault((bar.start - OPEN) % DAY // 60 // minutes, []).append(bar)
    return [
        Bar(
            group[0].start - (group[0].start - OPEN) % DAY % (60 * minutes),
            group[0].open_units,
            max(bar.high_units for bar in group),
            min(bar.low_units for bar in group),
            group[-1].close_units,
            sum(bar.volume for bar in group),
        )
        for group in groups.values()
    ]


@given(sessions(gaps=True), st.integers(1, 60))
def test_longer_bars_are_the_minutes_together(days: list[list[Bar]], minutes: int) -> None:
    expected = [(TOKEN, bar) for day in days for bar in merged(day, minutes)]
    assert built(builder(minutes), ticks_of(days), from_open=True) == expected


@given(sessions(gaps=True), sessions(gaps=True), st.integers(1, 60), st.booleans())
def test_instruments_do_not_disturb_each_other(
    days: list[list[Bar]], others: list[list[Bar]], minutes: int, fill: bool
) -> None:
    alone = built(builder(minutes, fill=fill), ticks_of(days), from_open=True)
    both = sorted(ticks_of(days) + ticks_of(others, OTHER), key=lambda tick: tick.exchange_time)
    found = built(builder(minutes, fill=fill), both, from_open=True)
    assert [one for one in found if one[0] == TOKEN] == alone


@st.composite
def packets(draw: st.DrawFn) -> list[Tick]:
    """A day as Kite sends it: trades and quote changes at any second, repeats, late and bad packets."""
    state, found, at = DayState(instrument_token=TOKEN, tick_units=500), [], OPEN - 30
    for _ in range(draw(st.integers(1, 40))):
        at += draw(st.integers(0, 70))
        found.append(trade(state, draw(prices), draw(st.sampled_from([0, 1, 7, 500])), at))
        kind = draw(st.sampled_from(["", "", "repeat", "late", "bad"]))
        if kind == "repeat":
            found.append(found[-1])
        elif kind == "late" and len(found) > 1:
            found.append(found[-2])
        elif kind == "bad":
            found.append(msgspec.structs.replace(found[-1], volume=0))
    return found


@given(packets(), st.integers(1, 5), st.booleans(), st.data())
def test_a_builder_restored_anywhere_goes_on_as_if_never_stopped(
    ticks: list[Tick], minutes: int, fill: bool, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(ticks)))
    expected = built(builder(minutes, fill=fill), ticks)
    first, second = builder(minutes, fill=fill), builder(minutes, fill=fill)
    before = [one for tick in ticks[:cut] for one in first.on_tick(tick, max(tick.exchange_time, first.state.clock))]
    second.state = msgspec.msgpack.decode(msgspec.msgpack.encode(first.state), type=BarState)
    assert before + built(second, ticks[cut:]) == expected


@given(packets(), st.integers(1, 60), st.booleans())
def test_bars_are_whole_ordered_and_aligned_whatever_comes(ticks: list[Tick], minutes: int, fill: bool) -> None:
    found = [bar for _, bar in built(builder(minutes, fill=fill), ticks)]
    starts = [bar.start for bar in found]
    assert starts == sorted(set(starts))
    for bar in found:
        assert (bar.start - OPEN) % (60 * minutes) == 0
        assert OPEN <= bar.start < OPEN + MINUTES * 60
        assert 0 < bar.low_units <= min(bar.open_units, bar.close_units)
        assert max(bar.open_units, bar.close_units) <= bar.high_units
        assert bar.volume >= 0


@given(packets())
def test_repeats_change_nothing(ticks: list[Tick]) -> None:
    twice = [tick for tick in ticks for _ in range(2)]
    assert built(builder(), twice) == built(builder(), ticks)
