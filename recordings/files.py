"""Finds the files of a recording and reads their lines."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

from recordings.errors import BadRecording
from trading.market.sessions import IST

TEXT = (".csv", ".csv.gz")
TIME_LENGTH = len("2016-08-16 09:15:00")
OFFSET = "+05:30"
PAISA_UNITS = 100  # packets carry paise
MOST_PRICE_UNITS = 10**11  # and prices and cumulative volume in 32 bits
MOST_VOLUME = 2**32 - 1
Line = tuple[int, list[str]]  # number from 1, cells


def files_of(path: Path) -> list[Path]:
    """The recorded bars or prices at a path, in name order. Raises BadRecording when there are none."""
    if path.is_file() and path.name.endswith(TEXT):
        return [path]
    if not path.is_dir():
        raise BadRecording(path, 0, "not a .csv or .csv.gz file, nor a folder of them")
    found = sorted(one for one in path.iterdir() if one.name.endswith(TEXT))
    if not found:
        raise BadRecording(path, 0, "the folder holds no .csv or .csv.gz file")
    return found


def lines_of(file: Path) -> Iterator[Line]:
    """The lines of a file, gzipped or not. Raises BadRecording when it cannot be read."""
    try:
        with (
            gzip.open(file) if file.name.endswith(".gz") else file.open("rb") as raw,
            io.TextIOWrapper(raw, encoding="utf-8", newline="") as text,
        ):
            yield from enumerate(csv.reader(text), 1)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise BadRecording(file, 0, f"cannot be read: {error}") from error


def complete(file: Path, lines: Iterable[Line], columns: int) -> Iterator[Line]:
    """The lines, each of which has to have so many cells."""
    for number, row in lines:
        if len(row) != columns:
            raise BadRecording(file, number, f"expected {columns} columns, found {len(row)}")
        yield number, row


@lru_cache(maxsize=4096)
def _midnight(text: str) -> tuple[date, int]:
    day = date.fromisoformat(text)
    return day, int(datetime(day.year, day.month, day.day, tzinfo=IST).timestamp())


@lru_cache(maxsize=100_000)
def _second(text: str) -> int:
    hour, minute, second = (int(part) for part in text.split(":"))
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        raise ValueError
    return hour * 3600 + minute * 60 + second


def moment(file: Path, number: int, text: str) -> tuple[date, int]:
    """The IST day and the epoch second of `2016-08-16 09:15:00`, with or without `+05:30`."""
    text = text.strip().removesuffix(OFFSET)
    try:
        if len(text) != TIME_LENGTH:
            raise ValueError
        day, midnight = _midnight(text[:10])
        return day, midnight + _second(text[11:])
    except ValueError as error:
        raise BadRecording(file, number, f"{text!r} is not a time like 2016-08-16 09:15:00") from error


def price_units(file: Path, number: int, text: str) -> int:
    """A price in rupees as 1/10,000 rupee."""
    try:
        return _units(text)
    except ValueError as error:
        raise BadRecording(file, number, str(error)) from error


@lru_cache(maxsize=65_536)
def _units(text: str) -> int:
    text = text.strip()
    whole, point, fraction = text.partition(".")
    if not whole.isdecimal() or (point and not fraction.isdecimal()):
        raise ValueError(f"{text[:40]!r} is not a price")
    paise = fraction[:2].ljust(2, "0")
    units = int(whole[:40]) * 10_000 + int(paise) * PAISA_UNITS
    if not 0 < units <= MOST_PRICE_UNITS or fraction[2:].strip("0"):
        raise ValueError(f"the price {text[:40]} is not in whole paise between 0.01 and 10,000,000 rupees")
    return units


def refuse_repeats(file: Path, times: Iterable[int]) -> None:
    """Raise BadRecording when two of the times, in order, are the same."""
    before = None
    for at in times:
        if at == before:
            raise BadRecording(file, 0, f"has two rows for {datetime.fromtimestamp(at, IST):%Y-%m-%d %H:%M:%S}")
        before = at
