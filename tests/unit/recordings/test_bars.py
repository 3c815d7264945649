"""Recordings are read whole or refused with the file and line."""

from __future__ import annotations

import gzip
from datetime import date, datetime
from pathlib import Path

import pytest

from recordings.bars import BarFile, read_bars
from recordings.errors import BadRecording
from recordings.markets import open_market
from recordings.prices import read_prices
from tests.shared_data import shared_data
from trading.market.sessions import IST

HEADER = "Code,Date,Open,High,Low,Close,Volume"
DAY = date(2016, 8, 16)
FIRST = "ACC,2016-08-16 09:15:00, 10.0, 11.0, 9.0, 10.5, 100"
SECOND = "ACC,2016-08-16 09:16:00, 10.5, 12.0, 10.5, 11.0, 7"
LONG_BEFORE = "ACC,2016-08-11 15:29:00, 8.0, 8.0, 8.0, 8.0, 3"
BEFORE = "ACC,2016-08-12 15:29:00, 9.0, 9.5, 9.0, 9.25, 3"
BAD_ROWS = [
    ("ACC,16/08/2016 09:17:00, 10, 11, 9, 10, 5", "is not a time"),
    ("ACC,2016-08-1x 09:17:00, 10, 11, 9, 10, 5", "is not a time"),
    ("ACC,2016-08-17, 10, 11, 9, 10, 5", "is not a time"),
    ("ACC,2016-08-16 09:17:30, 10, 11, 9, 10, 5", "does not begin with a minute"),
    ("ACC,2016-08-16 09:17:00, x, 11, 9, 10, 5", "'x' is not a price"),
    ("ACC,2016-08-16 09:17:00, NaN, 11, 9, 10, 5", "'NaN' is not a price"),
    ("ACC,2016-08-16 09:17:00, Infinity, 11, 9, 10, 5", "'Infinity' is not a price"),
    ("ACC,2016-08-16 09:17:00, 10.005, 11, 9, 10, 5", "whole paise"),
    ("ACC,2016-08-16 09:17:00, 0, 11, 0, 10, 5", "whole paise"),
    ("ACC,2016-08-16 09:17:00, 10, 10000000.01, 9, 10, 5", "whole paise"),
    ("ACC,2016-08-16 09:17:00, 10, 11, 9, 10, 5.5", "not a whole number"),
    ("ACC,2016-08-16 09:17:00, 10, 11, 9, 10, -1", "contradict"),
    ("ACC,2016-08-16 09:17:00, 10, 9.95, 9, 9.5, 5", "contradict"),
    ("ACC,2016-08-16 09:17:00, 10, 11, 10.05, 11, 5", "contradict"),
    ("ACC,2016-08-16 09:17:00, 10, 11, 9, 10", "expected 7 columns, found 6"),
    ("", "expected 7 columns, found 0"),
]


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


def at(text: str) -> int:
    return int(datetime.fromisoformat(f"2016-08-16 {text}").replace(tzinfo=IST).timestamp())


def test_rows_in_any_order_are_sorted_by_day_and_gzip_is_read(tmp_path: Path) -> None:
    file = tmp_path / "ACC.csv.gz"
    file.write_bytes(gzip.compress("\n".join([HEADER, SECOND, BEFORE, FIRST, LONG_BEFORE]).encode()))
    found = read_bars(file)
    assert (found.symbol, found.seconds, found.is_index) == ("ACC", 60, False)
    assert list(found.days) == [date(2016, 8, 11), date(2016, 8, 12), DAY]
    assert [(bar.start, bar.close_units, bar.volume) for bar in found.days[DAY]] == [
        (at("09:15"), 105_000, 100),
        (at("09:16"), 110_000, 7),
    ]


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS)
def test_bad_row_is_refused_with_file_and_line(tmp_path: Path, row: str, reason: str) -> None:
    file = write(tmp_path / "ACC.csv", HEADER, FIRST, row, SECOND)
    with pytest.raises(BadRecording, match=reason) as raised:
        read_bars(file)
    assert f"{file} line 3: " in str(raised.value)


@pytest.mark.parametrize(
    ("volume", "accepted"), [(2**32 - 1 - 100, True), (2**32 - 100, False)], ids=["fits", "one too many"]
)
def test_volume_of_a_day_fits_the_packet(tmp_path: Path, volume: int, accepted: bool) -> None:
    row = f"ACC,2016-08-16 09:16:00, 10, 10, 10, 10, {volume}"
    file = write(tmp_path / "ACC.csv", HEADER, FIRST, row)
    if accepted:
        assert sum(bar.volume for bar in read_bars(file).days[DAY]) == 2**32 - 1
        return
    with pytest.raises(BadRecording, match="more than the 4294967295"):
        read_bars(file)


def test_two_rows_of_one_minute_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match="two rows for 2016-08-16 09:15:00"):
        read_bars(write(tmp_path / "ACC.csv", HEADER, FIRST, FIRST))


def test_two_files_of_one_symbol_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "A.csv", HEADER, FIRST)
    write(tmp_path / "B.csv", HEADER, FIRST)
    with pytest.raises(BadRecording, match=r"B\.csv: holds ACC, as another file does"):
        open_market(tmp_path)


def test_file_with_no_bar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match=r"ACC\.csv: holds no bar"):
        read_bars(write(tmp_path / "ACC.csv", HEADER))


@pytest.mark.parametrize(("name", "reason"), [("none", "not a .csv"), ("folder", "holds no .csv")])
def test_path_without_recordings_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadRecording, match=reason):
        open_market(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00"], ids=["empty", "not text"])
def test_file_that_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ACC.csv").write_bytes(content)
    with pytest.raises(BadRecording, match=r"ACC\.csv"):
        open_market(tmp_path)


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress("\n".join([HEADER, FIRST, SECOND]).encode())
    (tmp_path / "ACC.csv.gz").write_bytes(whole[:-12])
    with pytest.raises(BadRecording, match="cannot be read"):
        read_bars(tmp_path / "ACC.csv.gz")


def test_number_of_symbols_limits_the_files(tmp_path: Path) -> None:
    for symbol in ("AAA", "BBB", "CCC"):
        write(tmp_path / f"{symbol}.csv", HEADER, FIRST.replace("ACC", symbol))
    assert [one.tradingsymbol for one in open_market(tmp_path, 2).instruments] == ["AAA", "BBB"]


KITE = "datetime,open,high,low,close,volume,oi"


def kite(file: Path, *rows: str) -> BarFile:
    return read_bars(write(file, KITE, *rows))


def test_kites_historical_bars_have_their_symbol_in_the_name_and_their_length_in_their_times(tmp_path: Path) -> None:
    found = kite(
        tmp_path / "M_M_60minute_400d.csv",
        "2024-12-05 10:15:00+05:30,12.5,13,12,12.5,7,0",
        "2024-12-05 09:15:00+05:30,12,13,11,12.5,5,0",
        "2024-12-06 15:15:00+05:30,12,13,11,12.5,5,0",
    )
    assert (found.symbol, found.seconds) == ("M_M", 3600)
    start = datetime(2024, 12, 5, 9, 15, tzinfo=IST)
    assert [bar.start for bar in found.days[start.date()]] == [start.timestamp(), start.timestamp() + 3600]


def test_a_bar_of_a_day_lies_in_its_session(tmp_path: Path) -> None:
    found = kite(tmp_path / "ACC_day.csv", "2024-12-05 00:00:00+05:30,12,13,11,12.5,5,0")
    start = datetime(2024, 12, 5, 9, 15, tzinfo=IST)
    assert (found.symbol, found.days[start.date()][0].start) == ("ACC", start.timestamp())
    assert found.seconds == 6 * 3600 + 900


def test_prices_of_a_folder_are_found_by_day(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", "2022-11-07 09:15:00,18000.05")
    write(tmp_path / "2.csv", "2022-11-08 09:15:01,18100.1", "2022-11-08 09:15:00,18100")
    assert [price for _, price in read_prices(tmp_path / "2.csv")[date(2022, 11, 8)]] == [181_000_000, 181_001_000]
    market = open_market(tmp_path)
    assert list(market.days) == [date(2022, 11, 7), date(2022, 11, 8)]
    (_, (first,)), _ = market.seconds(date(2022, 11, 8))
    assert first.close_units == 180_000_500


def test_two_files_of_one_days_prices_are_refused(tmp_path: Path) -> None:
    for name in ("1.csv", "2.csv"):
        write(tmp_path / name, "2022-11-07 09:15:00,18000.05")
    with pytest.raises(BadRecording, match=r"2\.csv: holds prices of 2022-11-07, as another file does"):
        open_market(tmp_path)


def test_bad_price_is_refused_with_file_and_line(tmp_path: Path) -> None:
    file = write(tmp_path / "1.csv", "2022-11-07 09:15:00,18000.05", "2022-11-07 09:15:01,high")
    with pytest.raises(BadRecording, match="line 2: 'high' is not a price"):
        read_prices(file)


def test_recorded_sessions_are_complete() -> None:
    for symbol in ("ABIRLANUVO", "ACC"):
        found = read_bars(shared_data("minute_2016_kite", f"{symbol}.csv.gz"))
        assert [len(bars) for bars in found.days.values()] == [375] * 18


@pytest.mark.parametrize(("kind", "seconds", "days"), [("hourly", 3600, 200), ("daily", 22_500, 1000)])
def test_recorded_bars_of_other_lengths_load(kind: str, seconds: int, days: int) -> None:
    for file in sorted(shared_data("bars_kite_2024-2026", kind).iterdir())[:3]:
        found = read_bars(file)
        assert found.seconds == seconds
        assert len(found.days) > days
        assert file.name.startswith(found.symbol)
        assert "_" not in found.symbol or found.symbol == "M_M"


def test_recorded_prices_are_complete() -> None:
    (times,) = read_prices(shared_data("ticks_nifty50_1s_2022", "2022-11-07.csv.gz")).values()
    assert 23_540 <= len(times) <= 23_608
    assert times == sorted(set(times))


@pytest.mark.parametrize(("other_day", "is_index"), [("0", True), ("3", False)])
def test_what_never_had_volume_is_an_index(tmp_path: Path, other_day: str, is_index: bool) -> None:
    rows = [
        f"VIX,2016-08-{day} 09:15:00, 13.5, 13.5, 13.5, 13.5, {volume}" for day, volume in ((16, "0"), (17, other_day))
    ]
    assert read_bars(write(tmp_path / "VIX.csv", HEADER, *rows)).is_index is is_index


def test_of_the_recorded_symbols_the_volatility_index_alone_is_an_index() -> None:
    files = [shared_data("minute_2016_kite", f"{name}.csv.gz") for name in ("INDIAVIX", "ACC")]
    assert [read_bars(file).is_index for file in files] == [True, False]
