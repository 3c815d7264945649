"""Opening range: one breakout a side and session, out at the middle or before the day's end."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.factories import TOKEN
from tests.strategy_runs import DAY, OPEN, build, closes, run, targets
from trading.strategies.opening_range import OpeningRange

RANGE = [10_000, 10_200, 9_800, 10_000]  # four minutes: 9,800 to 10,200


def quick(**parameters: int | bool) -> OpeningRange:
    found = build(OpeningRange, **{"range_minutes": 4, "buffer_bps": 0, "allow_short": False, **parameters})
    assert isinstance(found, OpeningRange)
    return found


def test_a_close_above_the_range_is_bought_and_one_below_the_middle_sold() -> None:
    found = run(quick(quantity=3), closes([*RANGE, 10_200, 10_201, 10_100, 10_000, 9_999, 10_300, 10_300]))
    assert targets(found) == [(6, 3), (9, 0)]


def test_a_failed_breakout_is_not_tried_again_on_that_side() -> None:
    path = [10_300, 9_900, 10_300, 9_700, 10_100, 9_700, 9_700]
    assert targets(run(quick(allow_short=True), closes([*RANGE, *path]))) == [(5, 10), (6, 0), (8, -10), (9, 0)]


def test_the_range_is_that_of_prices_not_of_closes() -> None:
    """The fourth minute reached 10,500 before it closed at 10,000."""
    ticks = closes([*RANGE, 10_400, 10_501, 10_501])
    spike = closes([None, None, None, 10_500])
    merged = sorted(ticks[:3] + spike + ticks[3:], key=lambda one: one.exchange_time)
    volumes = [one for one in merged if one.volume]
    assert targets(run(quick(), volumes)) == [(6, 10)]


def test_a_buffer_keeps_off_small_breakouts() -> None:
    assert targets(run(quick(buffer_bps=100), closes([*RANGE, 10_302, 10_303, 10_303]))) == [(6, 10)]


def test_shorts_need_permission() -> None:
    fall = closes([*RANGE, 9_700, 9_600, 9_500])
    assert run(quick(), fall) == []
    assert targets(run(quick(allow_short=True), fall)) == [(5, -10)]


def test_a_session_joined_after_its_first_bar_is_left_alone() -> None:
    late = closes([None, *RANGE, 10_500, 10_600, 10_700])
    assert run(quick(), late) == []
    assert targets(run(quick(), closes([10_000, *RANGE[1:], 10_500, 10_600]))) == [(5, 10)]


def test_it_leaves_before_the_day_ends_by_the_clock_alone() -> None:
    """No bar comes after the entry; the dated calendar says when intraday positions are squared off."""
    strategy = quick(minutes_before_square_off=10)
    run(strategy, closes([*RANGE, 10_500, 10_500]))
    flat_by = strategy.flat_by(TOKEN, OPEN)
    assert OPEN < flat_by < OPEN + 375 * 60
    assert strategy.on_clock(flat_by - 1) == []
    wishes = strategy.on_clock(flat_by)
    assert [(one.target_quantity, one.reason) for one in wishes] == [(0, "the day ends")]
    assert strategy.on_clock(flat_by + 1) == []


def test_it_enters_no_more_when_it_would_have_to_leave_at_once() -> None:
    strategy = quick()
    last_entry = (strategy.flat_by(TOKEN, OPEN) - OPEN) // 60 - 2
    quiet = [10_000] * (last_entry - len(RANGE))
    assert targets(run(strategy, closes([*RANGE, *quiet, 10_500, 10_500]))) == [(last_entry + 1, 10)]
    assert run(quick(), closes([*RANGE, *quiet, 10_000, 10_500, 10_500])) == []


def test_a_position_nobody_could_leave_is_left_when_the_market_opens_again() -> None:
    strategy = quick()
    run(strategy, closes([*RANGE, 10_500, 10_500]))
    assert strategy.on_clock(OPEN + DAY - 60) == []
    assert [one.target_quantity for one in strategy.on_clock(OPEN + DAY)] == [0]


def test_every_session_has_its_own_range() -> None:
    tomorrow = closes([*RANGE, 10_300, 10_300], begin=OPEN + DAY)
    found = run(quick(), closes([20_000] * 6) + tomorrow)
    assert targets(found) == [(24 * 60 + 5, 10)]


def test_the_range_must_be_of_whole_bars() -> None:
    with pytest.raises(ValidationError, match=r"range_minutes \(4\) must be a multiple of minutes \(3\)"):
        quick(minutes=3)
