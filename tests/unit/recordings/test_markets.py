"""Recorded bars of any length become ticks within the session, in time order."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path

import pytest

from models.messages.ticks import Tick
from recordings.errors import BadRecording
from recordings.markets import BarMarket, RecordedMarket, check_path, open_market
from tests.shared_data import shared_data
from trading.market.sessions import IST, continuous_hours, is_trading_day

KITE = "datetime,open,high,low,close,volume"
CODE = "Code,Date,Open,High,Low,Close,Volume"
DAY = date(2024, 12, 5)  # a Thursday


def at(clock: str, day: date = DAY) -> int:
    """Epoch second of `HH:MM:SS` IST."""
    return int(datetime.combine(day, time.fromisoformat(clock), IST).timestamp())


def market(folder: Path, *rows: str, name: str = "ACC", header: str = KITE) -> RecordedMarket:
    (folder / f"{name}.csv").write_text("\n".join([header, *rows]) + "\n")
    return open_market(folder)


def ticks(of: RecordedMarket, day: date = DAY) -> list[Tick]:
    found = list(of.seconds(day))
    assert [clock for clock, _ in found] == sorted({clock for clock, _ in found})
    assert all(tick.exchange_time == clock for clock, some in found for tick in some)
    return [tick for _, some in found for tick in some]


def test_five_minutes_become_four_ticks_in_them(tmp_path: Path) -> None:
    rows = [f"{DAY} 09:{minute}:00+05:30,12,13,11,12.5,100" for minute in (20, 15)]
    found = ticks(market(tmp_path, *rows))
    start = at("09:15:00")
    assert [one.exchange_time - start for one in found] == [0, 75, 150, 225, 300, 375, 450, 525]
    assert [one.last_price_units for one in found[:4]] == [120_000, 130_000, 110_000, 125_000]
    assert [one.volume for one in found] == [25, 50, 75, 100, 125, 150, 175, 200]


def test_an_hour_that_the_close_cuts_short_ends_with_it(tmp_path: Path) -> None:
    found = ticks(
        market(
            tmp_path, f"{DAY} 14:15:00+05:30,12,13,11,12.5,100", f"{DAY} 15:15:00+05:30,12,13,11,12.5,100"
        )
    )  # fmt: skip
    last = at("15:15:00")
    assert [one.exchange_time - last for one in found] == [-3600, -2700, -1800, -900, 0, 225, 450, 675]


def test_a_day_becomes_ticks_from_its_open_to_its_last_quarter(tmp_path: Path) -> None:
    found = ticks(market(tmp_path, f"{DAY} 00:00:00+05:30,12,13,11,12.5,100", "2024-12-06 00:00:00,12,13,11,12.5,1"))
    assert [one.exchange_time - at("09:15:00") for one in found] == [0, 5625, 11250, 16875]


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [("2024-11-01", "18:00:00", "18:45:00"), ("2024-03-02", "09:15:00", "09:48:45")],
    ids=["muhurat", "drill in two parts"],
)
def test_a_day_with_hours_of_its_own_is_traded_in_them(tmp_path: Path, day: str, first: str, last: str) -> None:
    that = date.fromisoformat(day)
    found = ticks(market(tmp_path, f"{day} 00:00:00+05:30,12,13,11,12.5,100"), that)
    assert (found[0].exchange_time, found[-1].exchange_time) == (at(first, that), at(last, that))


def test_one_bar_a_day_that_does_not_begin_at_midnight_is_a_minute(tmp_path: Path) -> None:
    found = ticks(market(tmp_path, f"{DAY} 09:15:00,12,13,11,12.5,100", "2024-12-06 09:15:00,12,13,11,12.5,1"))
    assert [one.exchange_time - at("09:15:00") for one in found] == [0, 15, 30, 45]


def test_bars_of_different_lengths_are_played_side_by_side_in_time_order(tmp_path: Path) -> None:
    market(tmp_path, f"{DAY} 09:15:00,12,13,11,12.5,100", f"{DAY} 10:15:00,12,13,11,12.5,100", name="HOUR")
    found = market(tmp_path, *(f"{DAY} 09:{minute}:00,2,3,1,2.5,10" for minute in range(15, 55)), name="MINUTE")
    names = {one.instrument_token: one.tradingsymbol for one in found.instruments}
    times = [one.exchange_time - at("09:15:00") for one in ticks(found) if names[one.instrument_token] == "HOUR"]
    assert times == [0, 900, 1800, 2700, 3600, 4500, 5400, 6300]
    assert len(ticks(found)) == 8 + 160


def test_a_day_only_some_have_is_played_without_the_others(tmp_path: Path) -> None:
    market(tmp_path, f"{DAY} 00:00:00,12,13,11,12.5,100", name="AAA")
    found = market(tmp_path, "2024-12-06 00:00:00,12,13,11,12.5,100", name="BBB")
    assert list(found.days) == [DAY, date(2024, 12, 6)]
    assert [len(ticks(found, day)) for day in found.days] == [4, 4]
    assert isinstance(found, BarMarket)
    assert [list(found.bars(day)) for day in found.days] == [["NSE:AAA"], ["NSE:BBB"]]


def test_the_path_is_checked_without_reading_it_all(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match=r"folder holds no \.csv"):
        check_path(tmp_path)
    (tmp_path / "A.csv").write_text("rubbish")
    check_path(tmp_path)


def test_a_second_symbol_in_a_file_is_refused_with_its_line(tmp_path: Path) -> None:
    rows = [f"AAA,{DAY} 09:15:00,1,1,1,1,1", f"BBB,{DAY} 09:16:00,1,1,1,1,1"]
    with pytest.raises(BadRecording, match=r"AAA\.csv line 3: is of 'BBB', in a file of 'AAA'"):
        market(tmp_path, *rows, name="AAA", header=CODE)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2024-12-05 09:15:00,1,1,1,1", "line 2: expected 6 columns, found 5"),
        ("2024-12-05 09:15:00,²,1,1,1,1", "line 2: '²' is not a price"),
        ("2024-12-05 09:15:00,1.005,2,1,1,1", "line 2: the price 1.005 is not in whole paise"),
        ("2024-12-05 09:15:00,-1,1,1,1,1", "line 2: '-1' is not a price"),
        ("2024-12-05 09:15:00,nan,1,1,1,1", "line 2: 'nan' is not a price"),
        (f"2024-12-05 09:15:00,{'9' * 5000},1,1,1,1", "line 2: the price 999"),
        ("2024-12-05 09:15:00,0,1,0,1,1", "line 2: the price 0 is not"),
        ("2024-12-05 09:15:00,1,1,1,1,1.5", "line 2: the volume '1.5' is not a whole number"),
        ("2024-12-05 09:15:00,1,1,1,1,-5", "line 2: open, high, low, close and volume contradict each other"),
        ("2024-12-05 09:15:00,5,4,1,3,1", "line 2: open, high, low, close and volume contradict each other"),
        ("2024-12-05 09:15:30,1,1,1,1,1", "line 2: the bar of 2024-12-05 09:15:30 does not begin with a minute"),
        ("05/12/2024 09:15:00,1,1,1,1,1", "line 2: '05/12/2024 09:15:00' is not a time like"),
        ("2024-12-05 25:15:00,1,1,1,1,1", "line 2: '2024-12-05 25:15:00' is not a time like"),
        ("2024-12-05T09:15:00+00:00,1,1,1,1,1", "line 2: '2024-12-05T09:15:00+00:00' is not a time like"),
        ("", "line 2: expected 6 columns, found 0"),
    ],
    ids=range(15),
)
def test_a_row_that_cannot_be_used_names_file_and_line(tmp_path: Path, row: str, reason: str) -> None:
    with pytest.raises(BadRecording) as refused:
        market(tmp_path, row, "2024-12-05 09:16:00,1,1,1,1,1")
    assert str(refused.value).startswith(f"{tmp_path / 'ACC.csv'} {reason}")


def test_recorded_five_minutes_lie_in_their_sessions() -> None:
    found = open_market(shared_data("bars_kite_2024-2026", "RELIANCE_5minute_2025-08-25_2025-12-03.csv.gz"))
    assert [one.tradingsymbol for one in found.instruments] == ["RELIANCE"]
    assert len(found.days) > 60
    for day in found.days:
        hours = continuous_hours(found.instruments[0], day)
        assert is_trading_day(day)
        outside = [one for one in ticks(found, day) if not any(a <= one.exchange_time < b for a, b in hours)]
        assert not outside


@pytest.mark.parametrize("kind", ["hourly", "daily"])
def test_recorded_bars_of_other_lengths_lie_in_their_sessions(kind: str) -> None:
    file = sorted(shared_data("bars_kite_2024-2026", kind).iterdir())[0]
    found = open_market(file)
    for day in found.days[-300:]:
        hours = continuous_hours(found.instruments[0], day)
        outside = [one for one in ticks(found, day) if not any(a <= one.exchange_time < b for a, b in hours)]
        assert not outside or not hours
