"""Which days trade, and which may be traded live."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest

from tests.zones import ZONES, process_zone
from trading.market.sessions import (
    IST,
    DayKind,
    day_kind,
    is_covered,
    is_trading_day,
    live_refusal,
    next_trading_day,
    previous_trading_day,
    regular_day_from,
    trading_day,
)


@pytest.fixture(scope="module", autouse=True, params=ZONES)
def zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """The process's time zone."""
    with process_zone(request.param):
        yield


@pytest.mark.parametrize(
    ("day", "kind", "name"),
    [
        ("2026-11-20", DayKind.REGULAR, "Friday"),
        ("2026-11-21", DayKind.WEEKEND, "Saturday"),
        ("2026-11-24", DayKind.HOLIDAY, "Guru Nanak Jayanti"),
        ("2022-11-08", DayKind.HOLIDAY, "Guru Nanak Jayanti"),
        ("2026-02-01", DayKind.SPECIAL, "Union Budget"),
        ("2025-10-21", DayKind.SPECIAL, "Muhurat (Diwali)"),
        ("2016-09-05", DayKind.HOLIDAY, "Ganesh Chaturthi"),
        ("2027-01-26", DayKind.REGULAR, "Tuesday"),  # no data: a weekday
    ],
)
def test_why_a_day_trades_or_not(day: str, kind: DayKind, name: str) -> None:
    assert day_kind(date.fromisoformat(day)) == (kind, name)
    assert is_trading_day(date.fromisoformat(day)) is (kind in (DayKind.REGULAR, DayKind.SPECIAL))


@pytest.mark.parametrize(
    ("day", "before", "after"),
    [
        ("2026-11-20", "2026-11-19", "2026-11-23"),
        ("2026-11-22", "2026-11-20", "2026-11-23"),
        ("2026-11-24", "2026-11-23", "2026-11-25"),
        ("2026-11-06", "2026-11-05", "2026-11-08"),  # muhurat on Sunday trades
        ("2026-11-09", "2026-11-08", "2026-11-11"),
        ("2026-01-31", "2026-01-30", "2026-02-01"),
        ("2026-04-02", "2026-04-01", "2026-04-06"),
    ],
)
def test_trading_days_before_and_after(day: str, before: str, after: str) -> None:
    assert previous_trading_day(date.fromisoformat(day)) == date.fromisoformat(before)
    assert next_trading_day(date.fromisoformat(day)) == date.fromisoformat(after)


@pytest.mark.parametrize(
    ("from_day", "found"),
    [
        ("2026-11-20", "2026-11-20"),
        ("2026-11-21", "2026-11-23"),
        ("2026-11-24", "2026-11-25"),
        ("2026-11-07", "2026-11-09"),  # an evening session is not a regular one
        ("2026-02-01", "2026-02-01"),  # the Budget's Sunday is
    ],
)
def test_next_day_with_a_regular_session(from_day: str, found: str) -> None:
    assert regular_day_from(date.fromisoformat(from_day)) == date.fromisoformat(found)


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        ("2025-12-31", "The calendar covers 2026-01-01 to 2026-12-31"),
        ("2026-01-01", None),
        ("2026-11-07", None),
        ("2026-11-08", "hours of this muhurat session"),  # not confirmed
        ("2026-11-09", None),
        ("2026-12-06", None),
        ("2026-12-07", "one source"),
        ("2026-12-31", "one source"),
        ("2027-01-01", "The calendar covers 2026-01-01 to 2026-12-31"),
    ],
)
def test_live_trading_needs_a_confirmed_day(day: str, reason: str | None) -> None:
    found = live_refusal(date.fromisoformat(day))
    assert is_covered(date.fromisoformat(day)) is (reason is None)
    if reason is None:
        assert found is None
    else:
        assert found is not None
        assert found.startswith(f"{day} is not confirmed for live trading: ")
        assert reason in found


@pytest.mark.parametrize("exchange", ["NSE", "BSE", "NFO", "BFO"])
def test_exchanges_of_the_calendar_may_trade(exchange: str) -> None:
    assert live_refusal(date(2026, 11, 20), exchange) is None


def test_an_exchange_the_calendar_does_not_know_is_refused() -> None:
    assert live_refusal(date(2026, 11, 20), "MCX") == "The calendar knows no sessions of MCX: no live trading there"


def test_every_hour_belongs_to_its_day_in_ist() -> None:
    moment = datetime(2025, 12, 30, tzinfo=IST)
    for _ in range(24 * 400):
        assert trading_day(int(moment.timestamp())) == moment.date()
        moment += timedelta(hours=1)
