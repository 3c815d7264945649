"""Instruments and sessions: what is refused and why; phases at their boundaries."""

from __future__ import annotations

from datetime import date, datetime, time

import pytest

from tests.factories import instrument
from trading.market.instruments import COLUMNS, InstrumentRegistry, parse_dump, select
from trading.market.sessions import (
    IST,
    Phase,
    is_covered,
    next_trading_day,
    phase_at,
    session_start,
    trading_day,
)

HEADER = ",".join(COLUMNS)
GOOD = "408065,1594,INFY,INFOSYS,0,,0,0.05,1,EQ,NSE,NSE"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("408065,1594,INFY", "Expected 12 columns, found 3"),
        ("x,1594,INFY,INFOSYS,0,,0,0.05,1,EQ,NSE,NSE", "Not an instrument"),
        ("408066,1594,INFY,INFOSYS,0,,0,0.05,1,EQ,NSE,NSE", "should be 408065"),
        ("408065,1594,INFY,INFOSYS,0,,0,NaN,1,EQ,NSE,NSE", "tick_size NaN is no price"),
        ("408065,1594,INFY,INFOSYS,0,,0,-1,1,EQ,NSE,NSE", "tick_size -1 is no price"),
        ("408065,1594,,INFOSYS,0,,0,0.05,1,EQ,NSE,NSE", "must not be empty"),
        ("408065,1594,INFY,INFOSYS,0,2026-13-01,0,0.05,1,EQ,NSE,NSE", "Not an instrument"),
        ("408065,1594,INFY,INFOSYS,0,,0,0.05,1,EQ,XXX,XXX", "Unknown exchange XXX"),
    ],
)
def test_malformed_row_is_refused_with_its_line(row: str, reason: str) -> None:
    found, problems = parse_dump(f"{HEADER}\n{GOOD}\n{row}\n")
    assert [one.key for one in found] == ["NSE:INFY"]
    assert [problem.line for problem in problems] == [3]
    assert reason in problems[0].reason


def test_duplicates_are_refused() -> None:
    _, problems = parse_dump(f"{HEADER}\n{GOOD}\n{GOOD}\n408065,1594,OTHER,O,0,,0,0.05,1,EQ,NSE,NSE\n")
    assert [problem.reason for problem in problems] == [
        "NSE:INFY appears twice",
        "Token 408065 of NSE:OTHER belongs to NSE:INFY",
    ]


def test_other_columns_are_refused_as_a_whole() -> None:
    found, problems = parse_dump("a,b\n1,2\n")
    assert (found, problems[0].line) == ([], 1)


def test_selection_refuses_malformed_unknown_and_repeated_rows() -> None:
    registry = InstrumentRegistry([instrument()])
    chosen, problems = select([(2, "NSE:INFY"), (3, "INFY"), (4, "NSE:X"), (5, "NSE:INFY"), (6, ":X")], registry)
    assert [one.key for one in chosen] == ["NSE:INFY"]
    assert [problem.line for problem in problems] == [3, 4, 5, 6]


def at(day: str, clock: str) -> int:
    return int(datetime.combine(date.fromisoformat(day), time.fromisoformat(clock), IST).timestamp())


@pytest.mark.parametrize(
    ("day", "clock", "phase"),
    [
        ("2026-08-20", "08:59:59", Phase.CLOSED),
        ("2026-08-20", "09:00:00", Phase.PRE_OPEN),
        ("2026-08-20", "09:14:59", Phase.PRE_OPEN),
        ("2026-08-20", "09:15:00", Phase.CONTINUOUS),
        ("2026-08-20", "15:29:59", Phase.CONTINUOUS),
        ("2026-08-20", "15:30:00", Phase.CLOSED),
        ("2026-08-22", "10:00:00", Phase.CLOSED),  # a Saturday
        ("2026-10-02", "10:00:00", Phase.CLOSED),  # a holiday
        ("2026-11-08", "10:00:00", Phase.CLOSED),  # Muhurat, a Sunday
        ("2026-11-08", "18:15:00", Phase.CONTINUOUS),
        ("2026-02-01", "10:00:00", Phase.CONTINUOUS),  # Budget, a Sunday
    ],
)
def test_phase_of_the_cash_market(day: str, clock: str, phase: Phase) -> None:
    assert phase_at("NSE", at(day, clock)) is phase


@pytest.mark.parametrize(("day", "phase"), [("2026-07-31", Phase.CLOSED), ("2026-08-03", Phase.CONTINUOUS)])
def test_derivatives_trade_longer_from_their_date_on(day: str, phase: Phase) -> None:
    assert phase_at("NFO-FUT", at(day, "15:35:00")) is phase


def test_days() -> None:
    assert trading_day(at("2026-08-20", "00:00:00")) == date(2026, 8, 20)
    assert trading_day(at("2026-08-20", "00:00:00") - 1) == date(2026, 8, 19)
    assert session_start(date(2026, 8, 20)) == at("2026-08-20", "09:15:00")
    assert next_trading_day(date(2026, 11, 21)) == date(2026, 11, 23)
    assert next_trading_day(date(2026, 11, 24)) == date(2026, 11, 25)  # the 24th is a holiday
    assert is_covered(date(2026, 12, 31))
    assert not is_covered(date(2027, 1, 1))
