"""Bars from packets as Kite sends them: cumulative volume, the day's own OHLC, late and bad packets, the clock."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from models.messages.ticks import Mode, Tick
from tests.factories import TOKEN
from tests.shared_data import shared_data
from tests.unit.trading.indicators.series import recorded
from trading.market.bars import BarBuilder, Closed
from trading.market.sessions import IST, continuous_hours, trading_day
from trading.market.ticks_from_bars import Bar, DayState, ticks_from_bar

OPEN = 1_787_197_500  # 2026-08-20 09:15 IST, a Thursday
DAY = 86_400
OTHER = TOKEN + 256


def builder(minutes: int = 1, *, fill: bool = False) -> BarBuilder:
    return BarBuilder(minutes, lambda token, at: continuous_hours(None, trading_day(at)), fill=fill)


def packet(at: int, price: int, volume: int, token: int = TOKEN, **values: Any) -> Tick:
    """A trade at `at`, `price` its only price so far unless told otherwise."""
    defaults: dict[str, Any] = {
        "sequence": 1 + at % DAY,
        "mode": Mode.FULL,
        "tradable": True,
        "last_trade_time": at,
        "exchange_time": at,
    }
    return Tick(instrument_token=token, last_price_units=price, volume=volume, **{**defaults, **values})


def closed(by: BarBuilder, *ticks: Tick, until: int = 0) -> list[Closed]:
    found = [one for tick in ticks for one in by.on_tick(tick, tick.exchange_time)]
    return [*found, *by.on_clock(until)] if until else found


def test_a_bar_closes_with_the_first_packet_beyond_its_end() -> None:
    by = builder()
    assert closed(by, packet(OPEN, 100, 5), packet(OPEN + 59, 300, 7)) == []
    assert closed(by, packet(OPEN + 60, 200, 8)) == [(TOKEN, Bar(OPEN, 100, 300, 100, 300, 7))]


def test_the_clock_closes_a_bar_one_second_after_its_end() -> None:
    by = builder()
    closed(by, packet(OPEN, 100, 5))
    assert by.on_clock(OPEN + 60) == ()
    assert by.on_clock(OPEN + 61) == [(TOKEN, Bar(OPEN, 100, 100, 100, 100, 5))]
    assert by.on_clock(OPEN + 62) == ()


def test_the_clock_of_another_instruments_packet_closes_a_bar_too() -> None:
    by = builder()
    closed(by, packet(OPEN, 100, 5))
    other = packet(OPEN + 61, 900, 1, OTHER)
    assert list(by.on_tick(other, other.exchange_time)) == [(TOKEN, Bar(OPEN, 100, 100, 100, 100, 5))]
    assert by.state.watched[OTHER].start == OPEN + 60


def test_a_minute_without_a_trade_has_no_bar() -> None:
    by = builder()
    quote = packet(OPEN + 130, 100, 5, last_trade_time=OPEN)
    found = closed(by, packet(OPEN, 100, 5), quote, packet(OPEN + 190, 200, 6), until=OPEN + 300)
    assert [bar.start for _, bar in found] == [OPEN, OPEN + 180]


def test_a_trade_at_the_same_price_and_volume_is_known_by_its_time() -> None:
    by = builder()
    found = closed(by, packet(OPEN, 100, 5), packet(OPEN + 70, 100, 5), until=OPEN + 300)
    assert [bar.start for _, bar in found] == [OPEN, OPEN + 60]


def test_quiet_minutes_can_be_filled_with_flat_bars_until_the_session_ends() -> None:
    by = builder(60, fill=True)
    found = closed(by, packet(OPEN, 100, 5), packet(OPEN + 7200, 300, 9), until=OPEN + DAY)
    assert [(bar.start - OPEN) // 60 for _, bar in found] == [0, 60, 120, 180, 240, 300, 360]
    assert found[1][1] == Bar(OPEN + 3600, 100, 100, 100, 100, 0)
    assert {bar.close_units for _, bar in found[2:]} == {300}


def test_the_last_flat_bar_is_there_when_the_session_ends() -> None:
    by, closes = builder(60, fill=True), OPEN + 375 * 60
    closed(by, packet(OPEN, 100, 5), until=closes)
    assert by.on_clock(closes + 1) == [(TOKEN, Bar(OPEN + 360 * 60, 100, 100, 100, 100, 0))]
    assert by.on_clock(closes + 3600) == ()


def test_the_last_bar_ends_with_the_session() -> None:
    by = builder(60)
    late = OPEN + 375 * 60 - 1
    assert closed(by, packet(late - 900, 100, 5), packet(late, 100, 6)) == []
    assert by.state.watched[TOKEN].end == OPEN + 375 * 60


@pytest.mark.parametrize(
    "at", [OPEN - 1, OPEN + 375 * 60, OPEN + 2 * DAY + 7200], ids=["pre-open", "close", "saturday"]
)
def test_packets_outside_the_session_make_no_bar(at: int) -> None:
    assert closed(builder(), packet(at, 100, 5), until=OPEN + 3 * DAY) == []


def test_the_first_bar_of_a_session_has_the_days_own_open_high_low_and_volume() -> None:
    """The pre-open auction traded 500 at 90; the first packet shows a trade at 100, and the day's range so far."""
    by = builder()
    before = packet(OPEN - 300, 90, 500, open_units=90, high_units=90, low_units=90)
    first = packet(OPEN + 2, 100, 520, open_units=90, high_units=104, low_units=88)
    assert closed(by, before, first, until=OPEN + 61) == [(TOKEN, Bar(OPEN, 90, 104, 88, 100, 520))]


def test_the_days_new_high_and_low_between_two_packets_count_into_the_bar() -> None:
    by = builder()
    first = packet(OPEN, 100, 5, open_units=100, high_units=100, low_units=100)
    second = packet(OPEN + 30, 101, 9, open_units=100, high_units=120, low_units=80)
    third = packet(OPEN + 60, 102, 12, open_units=100, high_units=120, low_units=70)
    assert closed(by, first, second, third, until=OPEN + 122) == [
        (TOKEN, Bar(OPEN, 100, 120, 80, 101, 9)),
        (TOKEN, Bar(OPEN + 60, 102, 102, 70, 102, 3)),
    ]


def test_a_new_day_begins_at_volume_zero() -> None:
    by = builder()
    tomorrow = OPEN + DAY
    found = closed(by, packet(OPEN, 100, 5000), packet(tomorrow, 110, 30), until=tomorrow + 61)
    assert [(bar.start, bar.volume) for _, bar in found] == [(OPEN, 5000), (tomorrow, 30)]
    assert by.state.counts.bad == 0


def test_joined_in_the_middle_a_day_counts_from_the_first_packets_own_trade() -> None:
    by, at = builder(), OPEN + 600
    by.on_clock(at)
    found = closed(by, packet(at, 100, 9000, last_quantity=20), packet(at + 5, 101, 9100), until=at + 61)
    assert found == [(TOKEN, Bar(at, 100, 101, 100, 101, 120))]


def test_watched_from_the_open_the_first_packet_shows_all_the_day_has_traded() -> None:
    by, at = builder(), OPEN + 600
    by.on_clock(OPEN)
    first = packet(at, 100, 9000, last_quantity=20, open_units=95, high_units=105, low_units=90)
    assert closed(by, first, until=at + 61) == [(TOKEN, Bar(at, 95, 105, 90, 100, 9000))]


def test_a_cached_packet_without_a_trade_in_this_bar_only_sets_the_figures() -> None:
    by, at = builder(), OPEN + 600
    cached = packet(at, 100, 9000, last_quantity=20, last_trade_time=at - 90)
    found = closed(by, cached, packet(at + 5, 101, 9100), until=at + 61)
    assert found == [(TOKEN, Bar(at, 101, 101, 101, 101, 100))]


def test_a_bar_that_was_not_watched_from_its_start_is_dropped_and_counted() -> None:
    by, at = builder(), OPEN + 630
    found = closed(by, packet(at, 100, 9000), packet(at + 30, 100, 9010), until=at + 91)
    assert [bar.start for _, bar in found] == [at + 30]
    assert by.state.counts.partial == 1


def test_yesterdays_figures_in_the_first_packet_are_ignored() -> None:
    by = builder()
    stale = packet(OPEN + 1, 90, 10**6, last_trade_time=OPEN - DAY)
    assert closed(by, stale, packet(OPEN + 5, 100, 8), until=OPEN + 61) == [(TOKEN, Bar(OPEN, 100, 100, 100, 100, 8))]


def test_a_late_packet_widens_the_open_bar_and_is_counted() -> None:
    by = builder()
    found = closed(by, packet(OPEN, 100, 5), packet(OPEN + 20, 110, 9), packet(OPEN + 10, 130, 7), until=OPEN + 61)
    assert found == [(TOKEN, Bar(OPEN, 100, 130, 100, 110, 9))]
    assert by.state.counts.late == 1


def test_a_packet_for_a_bar_that_has_closed_is_counted_and_its_volume_goes_to_the_next() -> None:
    by = builder()
    closed(by, packet(OPEN, 100, 5), until=OPEN + 61)
    late = packet(OPEN + 59, 500, 9)
    assert by.on_tick(late, OPEN + 61) == ()
    assert closed(by, packet(OPEN + 62, 101, 12), until=OPEN + 122) == [(TOKEN, Bar(OPEN + 60, 101, 101, 101, 101, 7))]
    assert by.state.counts.late == 1


def test_one_packet_whose_volume_falls_is_bad_and_ignored() -> None:
    by = builder()
    found = closed(by, packet(OPEN, 100, 50), packet(OPEN + 1, 999, 3), packet(OPEN + 2, 101, 60), until=OPEN + 61)
    assert found == [(TOKEN, Bar(OPEN, 100, 101, 100, 101, 60))]
    assert by.state.counts.bad == 1


def test_a_volume_that_stays_lower_is_believed_at_the_second_packet() -> None:
    """The packet before was the wrong one: 10**9 was never traded."""
    by = builder()
    ticks = [packet(OPEN, 100, 50), packet(OPEN + 1, 100, 10**9), packet(OPEN + 2, 100, 60), packet(OPEN + 3, 101, 70)]
    assert closed(by, *ticks, until=OPEN + 61) == [(TOKEN, Bar(OPEN, 100, 101, 100, 101, 70))]
    assert by.state.counts.bad == 2


def test_a_bar_that_began_with_a_wrong_volume_counts_from_where_it_was_put_right() -> None:
    by = builder()
    wrong = [packet(OPEN + 50, 100, 10**9), packet(OPEN + 60, 100, 10**9 + 5)]
    right = [packet(OPEN + 70, 100, 60), packet(OPEN + 71, 100, 70), packet(OPEN + 80, 100, 90)]
    found = closed(by, packet(OPEN, 100, 50), *wrong, *right, until=OPEN + 122)
    assert [bar.volume for _, bar in found] == [10**9, 20]


def test_a_fallen_volume_of_the_same_second_is_late_not_bad() -> None:
    by = builder()
    ticks = [packet(OPEN, 100, 50, sequence=1), packet(OPEN, 101, 45, sequence=2), packet(OPEN, 99, 46, sequence=3)]
    assert closed(by, *ticks, until=OPEN + 61) == [(TOKEN, Bar(OPEN, 100, 101, 99, 100, 50))]
    assert (by.state.counts.late, by.state.counts.bad) == (2, 0)


def test_indices_have_bars_without_volume() -> None:
    by = builder()
    ticks = [packet(at, price, 0, tradable=False, last_trade_time=0) for at, price in ((OPEN, 100), (OPEN + 75, 100))]
    found = closed(by, *ticks, until=OPEN + 130)
    assert [(bar.start, bar.volume) for _, bar in found] == [(OPEN, 0), (OPEN + 60, 0)]


def test_packets_with_the_last_price_only_make_bars_of_its_changes() -> None:
    by = builder()
    ltp = [Tick(TOKEN, number, Mode.LTP, True, price) for number, price in ((1, 100), (2, 103), (3, 101))]
    found = [one for second, tick in enumerate(ltp) for one in by.on_tick(tick, OPEN + second)]
    assert [*found, *by.on_clock(OPEN + 61)] == [(TOKEN, Bar(OPEN, 103, 103, 101, 101, 0))]


def test_a_market_that_begins_again_earlier_is_another_one() -> None:
    by = builder()
    closed(by, packet(OPEN + 3600, 100, 9000))
    assert closed(by, packet(OPEN, 90, 5), until=OPEN + 61) == [(TOKEN, Bar(OPEN, 90, 90, 90, 90, 5))]


def test_bars_of_a_special_session_begin_with_it() -> None:
    """Muhurat trading of 2025-10-21 began at 13:45; Kite's hour bar of that day does too."""
    opens = int(datetime(2025, 10, 21, 13, 45, tzinfo=IST).timestamp())
    found = closed(builder(60), packet(opens + 30, 100, 5), until=opens + 2 * 3600)
    assert found == [(TOKEN, Bar(opens, 100, 100, 100, 100, 5))]


def test_hour_bars_of_a_day_begin_where_kites_do() -> None:
    """Seven a day, the last of fifteen minutes (kite.trade, historical 60minute bars)."""
    by = builder(60)
    ticks = [packet(OPEN + 60 * minute, 100, 5 + minute) for minute in range(375)]
    found = closed(by, *ticks, until=OPEN + DAY)
    assert [datetime.fromtimestamp(bar.start, IST).strftime("%H:%M") for _, bar in found] == [
        "09:15", "10:15", "11:15", "12:15", "13:15", "14:15", "15:15",
    ]  # fmt: skip
    assert sum(bar.volume for _, bar in found) == 5 + 374


@pytest.mark.parametrize("symbol", ["ACC", "INFY", "INDIAVIX", "ABIRLANUVO"])
def test_recorded_minutes_come_back_from_their_ticks(symbol: str) -> None:
    """All 18 sessions of 2016, minutes without volume and an index included."""
    bars = recorded(shared_data("minute_2016_kite", f"{symbol}.csv.gz"))
    by, found, days = builder(), [], dict[date, DayState]()
    for bar in bars:
        day = days.setdefault(trading_day(bar.start), DayState(TOKEN, 500, tradable=symbol != "INDIAVIX"))
        for tick in ticks_from_bar(bar, day):
            found += by.on_tick(tick, tick.exchange_time)
    found += by.on_clock(bars[-1].start + DAY)
    assert len(bars) == 18 * 375
    assert [bar for _, bar in found] == bars
