"""Phases by instrument and date: every boundary of every table, from both sides, in three process time zones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.factories import instrument
from tests.zones import ZONES, process_zone
from trading.market.instruments import Instrument
from trading.market.sessions import (
    IST,
    Phase,
    Stage,
    continuous_hours,
    intervals,
    is_open,
    market_of,
    next_close,
    next_open,
    notes_on,
    phase,
    phase_at,
    session_start,
    square_off,
    stage,
    trading_day,
)


@pytest.fixture(scope="module", autouse=True, params=ZONES)
def zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """The process's time zone."""
    with process_zone(request.param):
        yield


def derivative(segment: str, **values: Any) -> Instrument:
    """A contract on NIFTY that expires later."""
    exchange, _, kind = segment.partition("-")
    defaults = {"exchange": exchange, "name": "NIFTY", "instrument_type": kind, "expiry": date(2027, 1, 26)}
    return instrument(segment=segment, **{**defaults, **values})


CASH = instrument()
AUCTION = instrument(has_derivatives=True)
FUTURE = derivative("NFO-FUT")
OPTION = derivative("BFO-OPT", name="SENSEX")
INDEX = instrument(segment="INDICES", has_derivatives=True, lot_size=0)

# As the circulars named in config/calendar have them.
OLD_OPENING = "09:00 pre_open entry, 09:07 pre_open random_end, 09:08 pre_open matching, 09:12 pre_open buffer"
NEW_OPENING = (
    "09:00 pre_open entry, 09:05 pre_open limit_entry, 09:08 pre_open random_end, "
    "09:10 pre_open matching, 09:12 pre_open buffer"
)
TRADING = "09:15 continuous continuous"
POST_CLOSE_1540 = "15:30 closed closed, 15:40 post_close closing_price, 16:00 closed closed"
POST_CLOSE_1550 = "15:30 closed closed, 15:50 post_close closing_price, 16:00 closed closed"
AUCTION_1515 = (
    "15:15 closing_auction reference, 15:20 closing_auction entry, 15:25 closing_auction limit_entry, "
    "15:28 closing_auction random_end, 15:30 closing_auction matching, 15:35 closed closed, "
    "15:50 post_close closing_price, 16:00 closed closed"
)
AUCTION_1530 = (
    "15:30 closing_auction reference, 15:31 closing_auction entry, 15:36 closing_auction limit_entry, "
    "15:38 closing_auction random_end, 15:40 closing_auction matching, 15:45 closed closed, "
    "15:50 post_close closing_price, 16:00 closed closed"
)
DAYS = [
    (CASH, "2016-08-16", OLD_OPENING, TRADING, POST_CLOSE_1540),
    (CASH, "2026-07-31", OLD_OPENING, TRADING, POST_CLOSE_1540),
    (CASH, "2026-08-03", OLD_OPENING, TRADING, POST_CLOSE_1550),
    (CASH, "2026-09-04", OLD_OPENING, TRADING, POST_CLOSE_1550),
    (CASH, "2026-09-07", NEW_OPENING, TRADING, POST_CLOSE_1550),
    (CASH, "2026-12-07", NEW_OPENING, TRADING, POST_CLOSE_1550),
    (instrument(exchange="BSE", segment="BSE"), "2026-11-20", NEW_OPENING, TRADING, POST_CLOSE_1550),
    (None, "2026-11-20", NEW_OPENING, TRADING, POST_CLOSE_1550),
    (INDEX, "2026-11-20", NEW_OPENING, TRADING, POST_CLOSE_1550),
    (AUCTION, "2016-08-16", OLD_OPENING, TRADING, POST_CLOSE_1540),
    (AUCTION, "2026-07-31", OLD_OPENING, TRADING, POST_CLOSE_1540),
    (AUCTION, "2026-08-03", OLD_OPENING, TRADING, AUCTION_1515),
    (AUCTION, "2026-09-07", NEW_OPENING, TRADING, AUCTION_1515),
    (AUCTION, "2026-12-04", NEW_OPENING, TRADING, AUCTION_1515),
    (AUCTION, "2026-12-07", NEW_OPENING, TRADING, AUCTION_1530),
    (instrument(exchange="BSE", segment="BSE", has_derivatives=True), "2026-11-20", NEW_OPENING, TRADING, AUCTION_1515),
    (FUTURE, "2025-12-05", TRADING, "15:30 closed closed"),
    (FUTURE, "2025-12-08", OLD_OPENING, TRADING, "15:30 closed closed"),
    (FUTURE, "2026-07-31", OLD_OPENING, TRADING, "15:30 closed closed"),
    (FUTURE, "2026-08-03", OLD_OPENING, TRADING, "15:40 closed closed"),
    (FUTURE, "2026-12-07", OLD_OPENING, TRADING, "15:45 closed closed"),
    (OPTION, "2026-07-31", TRADING, "15:30 closed closed"),
    (OPTION, "2026-08-03", TRADING, "15:40 closed closed"),
    (OPTION, "2026-12-04", TRADING, "15:40 closed closed"),
    (OPTION, "2026-12-07", TRADING, "15:45 closed closed"),
    (CASH, "2025-10-21", "13:45 continuous continuous", "14:45 closed closed"),  # muhurat on a holiday
    (FUTURE, "2026-11-08", "18:15 continuous continuous", "19:15 closed closed"),  # muhurat on a Sunday
    (CASH, "2026-02-01", OLD_OPENING, TRADING, POST_CLOSE_1540),  # the Budget's Sunday
    (CASH, "2024-03-02", TRADING, "10:00 closed closed", "11:30 continuous continuous", "12:30 closed closed"),
    (CASH, "2026-10-02"),  # a holiday
    (FUTURE, "2026-01-15"),  # a holiday declared late
    (AUCTION, "2026-11-21"),  # a Saturday
    (CASH, "2025-12-27"),  # a Saturday
    (CASH, "2031-07-04", NEW_OPENING, TRADING, POST_CLOSE_1550),  # beyond the data: a weekday
    (CASH, "2031-07-05"),  # beyond the data: a Saturday
    (CASH, "2009-07-03", OLD_OPENING, TRADING, POST_CLOSE_1540),  # before the data
    (AUCTION, "2026-03-09", OLD_OPENING, TRADING, POST_CLOSE_1540),  # New York has put its clocks forward
    (AUCTION, "2026-11-02", NEW_OPENING, TRADING, AUCTION_1515),  # and back again
]


def at(day: str, clock: str = "00:00") -> int:
    """Epoch second of a moment in IST."""
    return int(datetime.combine(date.fromisoformat(day), time.fromisoformat(clock), IST).timestamp())


def rows(parts: tuple[str, ...]) -> list[tuple[str, Phase, Stage]]:
    """(from, phase, stage) of a whole day."""
    found = [("00:00", Phase.CLOSED, Stage.CLOSED)]
    for text in (row for part in parts for row in part.split(", ")):
        clock, a_phase, a_stage = text.split()
        found.append((clock, Phase(a_phase), Stage(a_stage)))
    return found


@pytest.mark.parametrize(("one", "day", "parts"), [(one, day, tuple(parts)) for one, day, *parts in DAYS])
def test_a_day_has_exactly_these_phases(one: Instrument | None, day: str, parts: tuple[str, ...]) -> None:
    midnight, expected = at(day), rows(parts)
    found = intervals(one, date.fromisoformat(day))
    assert [(midnight + part.start, part.phase, part.stage) for part in found] == [
        (at(day, clock), *rest) for clock, *rest in expected
    ]
    for (_, before, stage_before), (clock, after, stage_after) in pairwise(expected):
        moment = at(day, clock)
        assert (phase(one, moment - 1), stage(one, moment - 1)) == (before, stage_before)
        assert (phase(one, moment), stage(one, moment)) == (after, stage_after)
        assert is_open(one, moment) is (after is Phase.CONTINUOUS)


@pytest.mark.parametrize(
    ("day", "expiry", "name", "closes"),
    [
        ("2026-12-08", "2026-12-08", "NIFTY", "15:30"),  # an index contract on its last day
        ("2026-12-08", "2026-12-15", "NIFTY", "15:45"),  # the next week's
        ("2026-12-09", "2026-12-08", "NIFTY", "15:45"),  # one that is gone
        ("2026-12-08", "2026-12-08", "RELIANCE", "15:45"),  # a stock's
        ("2026-12-10", "2026-12-10", "SENSEX", "15:30"),
        ("2026-11-23", "2026-11-23", "NIFTY", "15:40"),  # before the change all trade on
        ("2026-07-28", "2026-07-28", "NIFTY", "15:30"),
    ],
)
@pytest.mark.parametrize("segment", ["NFO-FUT", "NFO-OPT", "BFO-OPT"])
def test_expiring_index_contracts_stop_earlier(segment: str, day: str, expiry: str, name: str, closes: str) -> None:
    one = derivative(segment, expiry=date.fromisoformat(expiry), name=name)
    assert next_close(one, at(day, "09:15")) == at(day, closes)


@pytest.mark.parametrize(
    ("one", "now", "opens", "closes"),
    [
        (CASH, ("2026-11-20", "09:14"), ("2026-11-20", "09:15"), ("2026-11-20", "15:30")),
        (CASH, ("2026-11-20", "09:15"), ("2026-11-23", "09:15"), ("2026-11-20", "15:30")),  # over a weekend
        (AUCTION, ("2026-11-20", "10:00"), ("2026-11-23", "09:15"), ("2026-11-20", "15:15")),
        (AUCTION, ("2026-11-20", "15:15"), ("2026-11-23", "09:15"), ("2026-11-23", "15:15")),
        (OPTION, ("2026-11-23", "15:39"), ("2026-11-25", "09:15"), ("2026-11-23", "15:40")),  # over a holiday
        (CASH, ("2026-11-06", "16:00"), ("2026-11-08", "18:15"), ("2026-11-08", "19:15")),  # a muhurat Sunday
        (CASH, ("2026-11-08", "19:15"), ("2026-11-09", "09:15"), ("2026-11-09", "15:30")),
        (CASH, ("2024-03-02", "09:30"), ("2024-03-02", "11:30"), ("2024-03-02", "10:00")),  # two periods
        (CASH, ("2024-03-02", "10:00"), ("2024-03-02", "11:30"), ("2024-03-02", "12:30")),
        (CASH, ("2026-12-31", "15:30"), ("2027-01-01", "09:15"), ("2027-01-01", "15:30")),  # beyond the data
    ],
)
def test_next_open_and_close(
    one: Instrument, now: tuple[str, str], opens: tuple[str, str], closes: tuple[str, str]
) -> None:
    assert next_open(one, at(*now)) == at(*opens)
    assert next_close(one, at(*now)) == at(*closes)


@pytest.mark.parametrize(
    ("one", "day", "flat"),
    [
        (CASH, "2026-07-31", "15:20"),
        (CASH, "2026-11-20", "15:20"),
        (None, "2026-11-20", "15:20"),
        (AUCTION, "2026-07-31", "15:20"),
        (AUCTION, "2026-08-03", "15:05"),
        (AUCTION, "2026-12-07", "15:05"),
        (FUTURE, "2026-07-31", "15:25"),
        (OPTION, "2026-11-20", "15:25"),
        (AUCTION, "2025-10-21", "14:30"),  # muhurat: a quarter of an hour before its end
        (CASH, "2024-03-02", "12:15"),
        (CASH, "2026-02-01", "15:20"),
        (CASH, "2026-10-02", None),
    ],
)
def test_intraday_positions_are_flat_by(one: Instrument | None, day: str, flat: str | None) -> None:
    expected = None if flat is None else at(day, flat)
    assert square_off(one, date.fromisoformat(day)) == expected


def test_hours_of_a_day_with_two_periods() -> None:
    day = "2021-02-24"
    hours = (at(day, "09:15"), at(day, "11:40")), (at(day, "15:45"), at(day, "17:00"))
    assert continuous_hours(CASH, date.fromisoformat(day)) == hours
    assert continuous_hours(CASH, date(2026, 10, 2)) == ()


@pytest.mark.parametrize(
    ("segment", "clock", "expected"),
    [
        ("NSE", "15:29", Phase.CONTINUOUS),
        ("NSE", "15:30", Phase.CLOSED),
        ("NFO", "15:39", Phase.CONTINUOUS),
        ("NFO-FUT", "09:00", Phase.PRE_OPEN),
        ("NFO", "15:40", Phase.CLOSED),
        ("MCX-FUT", "15:30", Phase.CLOSED),  # not in the calendar: hours of the cash market
    ],
)
def test_phase_of_a_whole_segment(segment: str, clock: str, expected: Phase) -> None:
    assert phase_at(segment, at("2026-11-20", clock)) is expected


def test_a_day_begins_at_midnight_in_ist_on_both_sides_of_a_change_of_clocks() -> None:
    for first in (date(2026, 3, 6), date(2026, 10, 30)):  # New York changes its clocks on the 8th and the 1st
        for day in (first + timedelta(days=number) for number in range(5)):
            midnight = at(day.isoformat())
            assert trading_day(midnight) == day
            assert trading_day(midnight - 1) == day - timedelta(days=1)
            assert session_start(day) == midnight + 33_300


def test_what_is_not_known_is_said() -> None:
    notes = notes_on(market_of(AUCTION, date(2026, 12, 7)), date(2026, 12, 7))
    assert any("one source" in note for note in notes)
    assert any("matching" in note for note in notes)
    assert any("Zerodha's time" in note for note in notes)
    assert notes_on(market_of(AUCTION, date(2026, 7, 31)), date(2026, 7, 31)) == []
