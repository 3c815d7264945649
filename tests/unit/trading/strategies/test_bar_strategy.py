"""What a strategy of a few lines may rely on: its bars, its days, and that nothing stale is wished for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tests.factories import TOKEN
from tests.strategy_runs import DAY, OPEN, OTHER, PAIR, build, closes, run
from trading.market.ticks_from_bars import Bar
from trading.strategies.bar_strategy import BarParameters, BarStrategy
from trading.strategies.base import Seen, Wish
from trading.strategies.opening_range import OpeningRange

RANGE = [10_000, 10_200, 9_800, 10_000, 10_500, 10_500]


class Noted(msgspec.Struct):
    """What a strategy was told, in order."""

    events: list[str] = []


class Follower(BarStrategy):
    """Wishes for the number of bars it has seen."""

    name, summary = "follower", "Notes what it is told"
    parameters_type, state_type = BarParameters, Noted

    def on_day(self, instrument_token: int, opens: int) -> None:
        self.own(instrument_token).events.append(f"day {opens}")

    def on_bar(self, instrument_token: int, bar: Bar) -> Sequence[Wish]:
        events = self.own(instrument_token).events
        events.append(f"bar {bar.start}")
        return self.target(instrument_token, len(events), "a bar")


class Filler(Follower):
    """Sees quiet minutes too."""

    fills = True


def follower(kind: type[Follower] = Follower) -> Follower:
    return kind(BarParameters(), PAIR)


def test_each_day_begins_before_its_first_bar() -> None:
    strategy = follower()
    run(strategy, closes([100, 101]) + closes([102, 103], begin=OPEN + DAY))
    first, second = OPEN, OPEN + DAY
    assert strategy.own(TOKEN).events == [
        f"day {first}", f"bar {first}", f"bar {first + 60}", f"day {second}", f"bar {second}",
    ]  # fmt: skip


def test_what_is_wished_for_at_yesterdays_last_bar_is_dropped() -> None:
    strategy = follower()
    run(strategy, closes([100]))
    assert strategy.on_clock(OPEN + DAY) == []
    assert strategy.own(TOKEN).events[-1] == f"bar {OPEN}"


def test_the_same_bar_closed_on_its_own_day_is_not_too_late() -> None:
    strategy = follower()
    run(strategy, closes([100]))
    assert [one.target_quantity for one in strategy.on_clock(OPEN + 3600)] == [2]


def test_the_clock_that_comes_with_a_tick_is_enough() -> None:
    """Of whoever runs a strategy without giving it the clock: the day's end is not missed, nor another's bar."""
    strategy = build(OpeningRange, range_minutes=4, buffer_bps=0)
    wishes = [one for tick in closes(RANGE) for one in strategy.on_tick(tick, tick.exchange_time)]
    assert [one.target_quantity for one in wishes] == [10]
    assert isinstance(strategy, OpeningRange)
    (late,) = closes([10_500], OTHER, strategy.flat_by(TOKEN, OPEN))
    assert [one.instrument_token for one in strategy.on_tick(late, late.exchange_time)] == [TOKEN]


def test_quiet_minutes_are_seen_by_those_who_ask_for_them() -> None:
    ticks = closes([100, None, None, 101])
    quiet, all_of_them = follower(), follower(Filler)
    run(quiet, ticks)
    run(all_of_them, ticks)
    assert quiet.own(TOKEN).events == [f"day {OPEN}", f"bar {OPEN}"]
    assert all_of_them.own(TOKEN).events[-2:] == [f"bar {OPEN + 60}", f"bar {OPEN + 120}"]


def test_the_last_tick_is_where_a_wish_of_the_clock_comes_from() -> None:
    strategy = follower()
    assert strategy.last_seen(TOKEN) is None
    run(strategy, closes([100, 107, 103]))
    assert strategy.last_seen(TOKEN) == Seen(3, 103)
    assert strategy.last_seen(OTHER) is None
