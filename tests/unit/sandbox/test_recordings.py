"""Recordings are read whole or refused with the file and line."""

from __future__ import annotations

import gzip
from datetime import date, datetime
from pathlib import Path

import pytest

from sandbox.errors import BadRecording
from sandbox.recordings import read
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


def test_rows_in_any_order_are_sorted_and_gzip_is_read(tmp_path: Path) -> None:
    file = tmp_path / "ACC.csv.gz"
    file.write_bytes(gzip.compress("\n".join([HEADER, SECOND, BEFORE, FIRST, LONG_BEFORE]).encode()))
    day, (recording,) = read(file, DAY, None)
    assert (day, recording.symbol) == (DAY, "ACC")
    assert [(bar.start, bar.close_units, bar.volume) for bar in recording.bars] == [
        (at("09:15"), 105_000, 100),
        (at("09:16"), 110_000, 7),
    ]
    assert recording.previous_close_units == 92_500


def test_first_day_is_the_default_and_has_no_close_before_it(tmp_path: Path) -> None:
    day, (recording,) = read(write(tmp_path / "ACC.csv", HEADER, SECOND, FIRST, BEFORE), None, None)
    assert day == date(2016, 8, 12)
    assert (len(recording.bars), recording.previous_close_units) == (1, 0)


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS)
def test_bad_row_is_refused_with_file_and_line(tmp_path: Path, row: str, reason: str) -> None:
    file = write(tmp_path / "ACC.csv", HEADER, FIRST, row, SECOND)
    with pytest.raises(BadRecording, match=reason) as raised:
        read(file, DAY, None)
    assert f"{file} line 3: " in str(raised.value)


@pytest.mark.parametrize(
    ("volume", "accepted"), [(2**32 - 1 - 100, True), (2**32 - 100, False)], ids=["fits", "one too many"]
)
def test_volume_of_a_day_fits_the_packet(tmp_path: Path, volume: int, accepted: bool) -> None:
    row = f"ACC,2016-08-16 09:16:00, 10, 10, 10, 10, {volume}"
    file = write(tmp_path / "ACC.csv", HEADER, FIRST, row)
    if accepted:
        assert sum(bar.volume for bar in read(file, DAY, None)[1][0].bars) == 2**32 - 1
        return
    with pytest.raises(BadRecording, match="more than the 4294967295"):
        read(file, DAY, None)


def test_two_rows_of_one_minute_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match="two rows for 2016-08-16 09:15:00"):
        read(write(tmp_path / "ACC.csv", HEADER, FIRST, FIRST), DAY, None)


def test_two_files_of_one_symbol_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "A.csv", HEADER, FIRST)
    write(tmp_path / "B.csv", HEADER, FIRST)
    with pytest.raises(BadRecording, match=r"B\.csv: holds ACC, as another file does"):
        read(tmp_path, DAY, None)


def test_day_the_recording_does_not_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match="holds no bar of 2016-08-15"):
        read(write(tmp_path / "ACC.csv", HEADER, FIRST), date(2016, 8, 15), None)


@pytest.mark.parametrize(("name", "reason"), [("none", "not a .csv"), ("folder", "holds no .csv")])
def test_path_without_recordings_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadRecording, match=reason):
        read(tmp_path / name, None, None)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00"], ids=["empty", "not text"])
def test_file_that_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ACC.csv").write_bytes(content)
    with pytest.raises(BadRecording, match=r"ACC\.csv"):
        read(tmp_path, None, None)


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress("\n".join([HEADER, FIRST, SECOND]).encode())
    (tmp_path / "ACC.csv.gz").write_bytes(whole[:-12])
    with pytest.raises(BadRecording, match="cannot be read"):
        read(tmp_path, None, None)


def test_number_of_symbols_limits_the_files(tmp_path: Path) -> None:
    for symbol in ("AAA", "BBB", "CCC"):
        write(tmp_path / f"{symbol}.csv", HEADER, FIRST.replace("ACC", symbol))
    assert [one.symbol for one in read(tmp_path, None, 2)[1]] == ["AAA", "BBB"]


def test_prices_of_the_wanted_day_are_found_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", "2022-11-07 09:15:00,18000.05")
    write(tmp_path / "2.csv", "2022-11-08 09:15:01,18100.1", "2022-11-08 09:15:00,18100")
    day, (recording,) = read(tmp_path, date(2022, 11, 8), None)
    assert day == date(2022, 11, 8)
    assert [price for _, price in recording.prices] == [181_000_000, 181_001_000]
    with pytest.raises(BadRecording, match="holds no price of 2022-11-09"):
        read(tmp_path, date(2022, 11, 9), None)


def test_bad_price_is_refused_with_file_and_line(tmp_path: Path) -> None:
    file = write(tmp_path / "1.csv", "2022-11-07 09:15:00,18000.05", "2022-11-07 09:15:01,high")
    with pytest.raises(BadRecording, match="line 2: 'high' is not a price"):
        read(file, None, None)


def test_recorded_sessions_are_complete() -> None:
    day, recordings = read(shared_data("minute_2016_kite"), date(2016, 9, 9), 3)
    assert [(one.symbol, len(one.bars)) for one in recordings] == [("ABIRLANUVO", 375), ("ACC", 375), ("ADANIENT", 375)]
    assert all(one.previous_close_units for one in recordings)
    assert day == date(2016, 9, 9)


def test_recorded_prices_are_complete() -> None:
    day, (recording,) = read(shared_data("ticks_nifty50_1s_2022", "2022-11-07.csv.gz"), None, None)
    times = [second for second, _ in recording.prices]
    assert day == date(2022, 11, 7)
    assert 23_540 <= len(times) <= 23_608
    assert times == sorted(set(times))


@pytest.mark.parametrize(("other_day", "is_index"), [("0", True), ("3", False)])
def test_what_never_had_volume_is_an_index(tmp_path: Path, other_day: str, is_index: bool) -> None:
    rows = [
        f"VIX,2016-08-{day} 09:15:00, 13.5, 13.5, 13.5, 13.5, {volume}" for day, volume in ((16, "0"), (17, other_day))
    ]
    _, (recording,) = read(write(tmp_path / "VIX.csv", HEADER, *rows), DAY, None)
    assert recording.is_index is is_index


def test_of_the_recorded_symbols_the_volatility_index_alone_is_an_index() -> None:
    _, recordings = read(shared_data("minute_2016_kite"), date(2016, 8, 17), None)
    assert [one.symbol for one in recordings if one.is_index] == ["INDIAVIX"]
