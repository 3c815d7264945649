"""The calendar against recorded markets: every recorded day trades, and every trading day was recorded."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

from tests.factories import instrument
from tests.shared_data import shared_data
from trading.market.sessions import IST, DayKind, continuous_hours, day_kind, is_open, is_trading_day

STOCK = instrument(has_derivatives=True)


def moments(file: Path, column: str) -> Iterator[datetime]:
    """Times of a gzipped file's rows, in IST."""
    with gzip.open(file, "rt") as text:
        for row in csv.DictReader(text):
            at = datetime.fromisoformat(row[column].strip())
            yield at.astimezone(IST) if at.tzinfo else at.replace(tzinfo=IST)


def trading_days(first: date, last: date) -> set[date]:
    """Days of the calendar."""
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return {day for day in days if is_trading_day(day)}


def test_days_of_daily_bars_are_the_trading_days_of_2020_to_2026() -> None:
    files = sorted(shared_data("bars_kite_2024-2026", "daily").glob("*.csv.gz"))
    recorded = {at.date() for file in files for at in moments(file, "datetime")}
    assert len(recorded) > 1_300
    assert recorded == trading_days(min(recorded), max(recorded))


def test_hourly_bars_begin_within_continuous_trading_also_of_muhurat() -> None:
    recorded = list(moments(shared_data("bars_kite_2024-2026", "hourly", "INFY_60minute_400d.csv.gz"), "datetime"))
    assert all(is_open(STOCK, int(at.timestamp())) for at in recorded)
    assert date(2025, 10, 21) in {at.date() for at in recorded}


def test_five_minute_bars_fill_the_continuous_hours() -> None:
    file = shared_data("bars_kite_2024-2026", "RELIANCE_5minute_2025-08-25_2025-12-03.csv.gz")
    recorded = {int(at.timestamp()) for at in moments(file, "date")}
    days = {datetime.fromtimestamp(at, IST).date() for at in recorded}
    assert days == trading_days(min(days), max(days))
    expected = {at for day in days for first, end in continuous_hours(STOCK, day) for at in range(first, end, 300)}
    assert recorded == expected


def test_minute_bars_of_2016_fill_the_continuous_hours() -> None:
    (file,) = shared_data("minute_2016_kite").glob("INFY*")
    recorded = {int(at.timestamp()) for at in moments(file, "Date")}
    days = {datetime.fromtimestamp(at, IST).date() for at in recorded}
    assert days == trading_days(date(2016, 8, 16), date(2016, 9, 9))
    assert recorded == {
        at for day in days for first, end in continuous_hours(STOCK, day) for at in range(first, end, 60)
    }


def test_days_of_ticks_of_2022_trade_but_for_the_stale_one() -> None:
    files = [file for file in shared_data("ticks_nifty50_1s_2022").iterdir() if file.name.startswith("2022")]
    kinds = {date.fromisoformat(file.name[:10]): day_kind(date.fromisoformat(file.name[:10])) for file in files}
    closed = {day: name for day, (kind, name) in kinds.items() if kind is not DayKind.REGULAR}
    assert closed == {date(2022, 11, 8): "Guru Nanak Jayanti"}
    assert len(kinds) == 10
