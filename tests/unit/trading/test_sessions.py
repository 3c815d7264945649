"""Trading days and phases as dated data: every boundary of every table, from both sides."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.messages.validation import LATEST_SECOND
from trading.market.sessions import (
    COVERED,
    HOLIDAYS,
    IST,
    SPECIAL,
    Phase,
    is_covered,
    next_trading_day,
    phase_at,
    session_start,
    trading_day,
)

P = Phase
CASH = [("09:00", P.PRE_OPEN), ("09:15", P.CONTINUOUS), ("15:30", P.CLOSED), ("15:40", P.POST_CLOSE)]
LATER = [("09:00", P.PRE_OPEN), ("09:15", P.CONTINUOUS), ("15:30", P.CLOSED), ("15:50", P.POST_CLOSE)]
# (segment, day, [(from, phase)], the end of the last phase), as the exchanges' circulars have it
DAYS = [
    ("NSE", "2026-07-31", CASH, "16:00"),
    ("NSE", "2026-08-03", LATER, "16:00"),
    ("NSE", "2026-12-07", LATER, "16:00"),
    ("BSE", "2026-11-20", LATER, "16:00"),
    ("NFO-FUT", "2026-07-31", [("09:15", P.CONTINUOUS)], "15:30"),
    ("NFO-OPT", "2026-08-03", [("09:15", P.CONTINUOUS)], "15:40"),
    ("BFO-OPT", "2026-12-04", [("09:15", P.CONTINUOUS)], "15:40"),
    ("NFO-FUT", "2026-12-07", [("09:15", P.CONTINUOUS)], "15:45"),
    ("NSE", "2025-10-21", [("13:45", P.CONTINUOUS)], "14:45"),
    ("NSE", "2026-02-01", [("09:15", P.CONTINUOUS)], "15:30"),
    ("NSE", "2026-11-08", [("18:15", P.CONTINUOUS)], "19:15"),
    ("NFO-FUT", "2026-11-08", [("18:15", P.CONTINUOUS)], "19:15"),
]


def at(day: date, clock: str = "00:00") -> int:
    """Epoch second of a moment in IST."""
    return int(datetime.combine(day, time.fromisoformat(clock), IST).timestamp())


def changes(rows: list[tuple[str, Phase]], end: str) -> Iterator[tuple[str, Phase, Phase]]:
    """(moment, phase before, phase from then on)."""
    before = P.CLOSED
    for start, phase in [*rows, (end, P.CLOSED)]:
        yield start, before, phase
        before = phase


@pytest.mark.parametrize(
    ("segment", "day", "moment", "before", "after"),
    [(segment, day, *change) for segment, day, rows, end in DAYS for change in changes(rows, end)],
)
def test_a_phase_holds_from_its_second_on(segment: str, day: str, moment: str, before: Phase, after: Phase) -> None:
    second = at(date.fromisoformat(day), moment)
    assert phase_at(segment, second - 1) is before
    assert phase_at(segment, second) is after


@pytest.mark.parametrize(("segment", "day", "rows", "end"), DAYS)
def test_a_day_has_no_other_change(segment: str, day: str, rows: list[tuple[str, Phase]], end: str) -> None:
    midnight = at(date.fromisoformat(day))
    phases = [phase_at(segment, midnight + minute * 60) for minute in range(24 * 60)]
    found = sum(first is not second for first, second in pairwise(phases))
    assert found == len(list(changes(rows, end)))


def test_weekends_and_holidays_are_closed_all_day_but_for_special_sessions() -> None:
    day = COVERED[0]
    while day <= COVERED[1]:
        phases = {phase_at("NSE", at(day) + minute * 60) for minute in range(0, 24 * 60, 15)}
        shut = (day.weekday() >= 5 or day in HOLIDAYS) and day not in SPECIAL
        assert (phases == {P.CLOSED}) is shut, day
        day += timedelta(days=1)


def test_the_year_has_the_holidays_two_calendars_agree_on() -> None:
    assert len(HOLIDAYS) == 16
    assert all(day.weekday() < 5 and day.year == 2026 for day in HOLIDAYS)


@pytest.mark.parametrize(
    ("day", "covered"), [("2025-12-31", False), ("2026-01-01", True), ("2026-12-31", True), ("2027-01-01", False)]
)
def test_live_trading_needs_a_day_the_data_covers(day: str, covered: bool) -> None:
    assert is_covered(date.fromisoformat(day)) is covered


@pytest.mark.parametrize(
    ("from_day", "found"),
    [
        ("2026-11-20", "2026-11-20"),
        ("2026-11-21", "2026-11-23"),  # over a weekend
        ("2026-11-24", "2026-11-25"),  # a holiday
        ("2026-11-07", "2026-11-09"),  # an evening session on Sunday is not a regular one
        ("2026-02-01", "2026-02-01"),  # the Budget's Sunday is
    ],
)
def test_next_day_with_a_regular_session(from_day: str, found: str) -> None:
    assert next_trading_day(date.fromisoformat(from_day)) == date.fromisoformat(found)


@given(st.integers(0, LATEST_SECOND), st.sampled_from(["NSE", "BSE", "NFO-OPT", "MCX-FUT", ""]))
def test_every_second_a_message_can_carry_has_a_day_and_a_phase(second: int, segment: str) -> None:
    moment = datetime.fromtimestamp(second, IST)
    assert trading_day(second) == moment.date()
    phase = phase_at(segment, second)
    if moment.weekday() >= 5 and moment.date() not in SPECIAL:
        assert phase is P.CLOSED
    assert session_start(moment.date()) == at(moment.date(), "09:15")
