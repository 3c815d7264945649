"""Sessions hold together: a day has no gaps, and openings and closings agree with its phases."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from models.messages.validation import LATEST_SECOND
from tests.factories import instrument
from trading.market.instruments import Instrument
from trading.market.sessions import (
    DAY_SECONDS,
    IST_SECONDS,
    Phase,
    Stage,
    continuous_hours,
    intervals,
    is_open,
    is_trading_day,
    next_close,
    next_open,
    next_trading_day,
    phase,
    previous_trading_day,
    regular_day_from,
    session_start,
    square_off,
    stage,
    trading_day,
)

EPOCH = date(1970, 1, 1)
dated = st.dates(date(2015, 12, 1), date(2027, 2, 1))  # what the data knows, and a little beyond
moments = st.one_of(
    st.integers(0, LATEST_SECOND),
    st.builds(lambda day, second: midnight(day) + second, dated, st.integers(0, DAY_SECONDS - 1)),
)
segments = st.sampled_from(["NSE", "BSE", "INDICES", "NFO-FUT", "NFO-OPT", "BFO-FUT", "BFO-OPT", "MCX-FUT", ""])
instruments = st.builds(
    lambda segment, has_derivatives, expiry, name: instrument(
        segment=segment, has_derivatives=has_derivatives, expiry=expiry, name=name
    ),
    segments,
    st.booleans(),
    st.none() | dated,
    st.sampled_from(["NIFTY", "SENSEX", "RELIANCE", ""]),
)


def midnight(day: date) -> int:
    """Epoch second at which a day begins in IST."""
    return (day - EPOCH).days * DAY_SECONDS - IST_SECONDS


@given(instruments | st.none(), dated)
def test_a_day_is_whole_and_in_order(one: Instrument | None, day: date) -> None:
    parts = intervals(one, day)
    assert (parts[0].start, parts[-1].until) == (0, DAY_SECONDS)
    assert parts[0].phase is parts[-1].phase is Phase.CLOSED
    assert all(part.start < part.until for part in parts)
    for before, after in pairwise(parts):
        assert before.until == after.start
        assert (before.phase, before.stage) != (after.phase, after.stage)
    assert any(part.phase is Phase.CONTINUOUS for part in parts) is is_trading_day(day)


@given(instruments | st.none(), moments)
def test_a_moment_is_in_one_part_of_its_day(one: Instrument | None, at: int) -> None:
    day = trading_day(at)
    second = at - midnight(day)
    (part,) = [part for part in intervals(one, day) if part.start <= second < part.until]
    assert (phase(one, at), stage(one, at)) == (part.phase, part.stage)
    assert (part.stage is Stage.CONTINUOUS) is (part.phase is Phase.CONTINUOUS)
    assert (part.stage is Stage.CLOSED) is (part.phase is Phase.CLOSED)


@given(instruments | st.none(), moments)
def test_openings_and_closings_agree_with_the_phases(one: Instrument | None, at: int) -> None:
    opens, closes = next_open(one, at), next_close(one, at)
    assert min(opens, closes) > at
    assert is_open(one, at) is (closes < opens)
    assert is_open(one, opens)
    assert not is_open(one, opens - 1)
    assert not is_open(one, closes)
    assert is_open(one, closes - 1)


@given(instruments | st.none(), moments)
def test_nothing_opens_or_closes_unseen(one: Instrument | None, at: int) -> None:
    """Between a moment and the next change every part of every day is as open as the moment is."""
    change = min(next_open(one, at), next_close(one, at))
    day = trading_day(at)
    while midnight(day) < change:
        for part in intervals(one, day):
            if max(at, midnight(day) + part.start) < min(change, midnight(day) + part.until):
                assert (part.phase is Phase.CONTINUOUS) is is_open(one, at)
        day += timedelta(days=1)


@given(dated)
def test_trading_days_are_neighbours(day: date) -> None:
    before, after = previous_trading_day(day), next_trading_day(day)
    assert before < day < after
    assert is_trading_day(before)
    assert is_trading_day(after)
    between = [before + timedelta(days=number) for number in range(1, (after - before).days)]
    assert [one for one in between if is_trading_day(one)] == ([day] if is_trading_day(day) else [])
    assert next_trading_day(before) == (day if is_trading_day(day) else after)


@given(dated)
def test_a_regular_day_trades_from_a_quarter_past_nine(day: date) -> None:
    found = regular_day_from(day)
    assert is_open(None, session_start(found))
    assert not is_open(None, session_start(found) - 1)
    assert regular_day_from(found) == found


@given(instruments | st.none(), dated)
def test_intraday_positions_are_flat_while_the_market_can_still_take_the_orders(
    one: Instrument | None, day: date
) -> None:
    flat = square_off(one, day)
    hours = continuous_hours(one, day)
    assert (flat is None) is (hours == ())
    if flat is not None:
        first, end = hours[-1]
        assert first < flat < end


@given(instruments, dated)
def test_a_stock_with_derivatives_trades_continuously_no_longer_than_others(one: Instrument, day: date) -> None:
    plain = instrument(segment="NSE")
    for first, end in continuous_hours(one, day):
        if one.segment in ("NSE", "BSE"):
            assert (first, end) <= continuous_hours(plain, day)[-1]
