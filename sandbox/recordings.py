"""Reads recordings: minute bars (`Code,Date,Open,High,Low,Close,Volume`) and one-second prices (`time,price`).

Files may be gzipped, rows in any order; times are IST. A row that cannot be used is an error with file and line.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from models.messages.ticks import to_units
from sandbox.errors import BadRecording
from trading.market.sessions import IST
from trading.market.ticks_from_bars import Bar

SUFFIXES = (".csv", ".csv.gz")
BAR_HEADER = ("Code", "Date", "Open", "High", "Low", "Close", "Volume")
INDEX_NAME = "NIFTY 50"
TIME_LENGTH = len("2016-08-16 09:15:00")
PAISA_UNITS = 100  # packets carry paise
MOST_PRICE_UNITS = 10**11  # and prices and cumulative volume in 32 bits
MOST_VOLUME = 2**32 - 1


@dataclass
class Recording:
    """One symbol's session: bars, or prices by second. `previous_close_units` is 0 when unknown.

    An index is what never had volume, on any day of its file.
    """

    symbol: str
    bars: list[Bar] = field(default_factory=list)
    prices: list[tuple[int, int]] = field(default_factory=list)  # epoch second, 1/10,000 rupee
    previous_close_units: int = 0
    is_index: bool = False


def files_of(path: Path) -> list[Path]:
    """The recording files at a path, in name order. Raises BadRecording when there are none."""
    if path.is_file() and path.name.endswith(SUFFIXES):
        return [path]
    if not path.is_dir():
        raise BadRecording(path, 0, "not a .csv or .csv.gz file, nor a folder of them")
    found = sorted(one for one in path.iterdir() if one.name.endswith(SUFFIXES))
    if not found:
        raise BadRecording(path, 0, "the folder holds no .csv or .csv.gz file")
    return found


def read(path: Path, day: date | None, most: int | None) -> tuple[date, list[Recording]]:
    """The recordings of one day (the first there is when `day` is None), of at most `most` symbols."""
    files = files_of(path)
    if _is_prices(files[0]):
        return _read_prices(files, day)
    recordings: list[Recording] = []
    for file in files[:most]:
        day, recording = _read_bars(file, day)
        if recording.symbol in {one.symbol for one in recordings}:
            raise BadRecording(file, 0, f"holds {recording.symbol}, as another file does")
        recordings.append(recording)
    assert day is not None  # noqa: S101 - files is not empty
    return day, recordings


def _open(file: Path) -> io.TextIOBase:
    return io.TextIOWrapper(gzip.open(file)) if file.name.endswith(".gz") else file.open()


def _rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with _open(file) as lines:
            yield from enumerate(csv.reader(lines), 1)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise BadRecording(file, 0, f"cannot be read: {error}") from error


def _is_prices(file: Path) -> bool:
    _, first = next(_rows(file), (0, []))
    return len(first) == 2


def _read_bars(file: Path, day: date | None) -> tuple[date, Recording]:
    rows = _rows(file)
    _, header = next(rows, (0, []))
    if tuple(name.strip() for name in header) != BAR_HEADER:
        raise BadRecording(file, 1, f"expected the columns {','.join(BAR_HEADER)}")
    lines = sorted((_time(file, number, row[1]), number, row) for number, row in _complete(file, rows, len(BAR_HEADER)))
    if day is None and lines:
        day = lines[0][0].date()
    of_day = [line for line in lines if line[0].date() == day]
    if day is None or not of_day:
        raise BadRecording(file, 0, f"holds no bar of {day or 'any day'}")
    bars = [_bar(file, *line) for line in of_day]
    _no_repeats(file, (bar.start for bar in bars))
    if sum(bar.volume for bar in bars) > MOST_VOLUME:
        raise BadRecording(file, 0, f"the volume of {day} is more than the {MOST_VOLUME} a packet can carry")
    before = [line for line in lines if line[0].date() < day][-1:]
    close = _bar(file, *before[0]).close_units if before else 0
    is_index = all(row[6].strip() == "0" for _, _, row in lines)
    return day, Recording(of_day[0][2][0].strip(), bars=bars, previous_close_units=close, is_index=is_index)


def _complete(file: Path, rows: Iterable[tuple[int, list[str]]], count: int) -> Iterator[tuple[int, list[str]]]:
    for number, row in rows:
        if len(row) != count:
            raise BadRecording(file, number, f"expected {count} columns, found {len(row)}")
        yield number, row


def _no_repeats(file: Path, times: Iterable[int]) -> None:
    before = None
    for at in times:
        if at == before:
            raise BadRecording(file, 0, f"has two rows for {datetime.fromtimestamp(at, IST):%Y-%m-%d %H:%M:%S}")
        before = at


def _bar(file: Path, at: datetime, number: int, row: list[str]) -> Bar:
    open_units, high, low, close = (_units(file, number, cell) for cell in row[2:6])
    try:
        bar = Bar(int(at.timestamp()), open_units, high, low, close, int(row[6]))
    except ValueError as error:
        raise BadRecording(file, number, f"the volume {row[6].strip()!r} is not a whole number") from error
    if at.second:
        raise BadRecording(file, number, f"the bar of {row[1].strip()} does not begin with a minute")
    if not 0 < bar.low_units <= min(open_units, close) <= max(open_units, close) <= high or bar.volume < 0:
        raise BadRecording(file, number, f"open, high, low, close and volume contradict each other: {row[2:]}")
    return bar


def _time(file: Path, number: int, text: str) -> datetime:
    text = text.strip()
    try:
        if len(text) != TIME_LENGTH:
            raise ValueError
        return datetime.fromisoformat(text).replace(tzinfo=IST)
    except ValueError as error:
        raise BadRecording(file, number, f"{text!r} is not a time like 2016-08-16 09:15:00") from error


def _units(file: Path, number: int, text: str) -> int:
    text = text.strip()
    try:
        units = to_units(Decimal(text))
    except (ValueError, InvalidOperation) as error:
        raise BadRecording(file, number, f"{text!r} is not a price") from error
    if units % PAISA_UNITS or not 0 < units <= MOST_PRICE_UNITS:
        raise BadRecording(file, number, f"the price {text} is not in whole paise between 0.01 and 10,000,000 rupees")
    return units


def _read_prices(files: list[Path], day: date | None) -> tuple[date, list[Recording]]:
    for file in files:
        lines = sorted((_time(file, number, row[0]), number, row) for number, row in _complete(file, _rows(file), 2))
        wanted = day or lines[0][0].date()
        prices = [
            (int(at.timestamp()), _units(file, number, row[1])) for at, number, row in lines if at.date() == wanted
        ]
        if prices:
            _no_repeats(file, (at for at, _ in prices))
            return wanted, [Recording(INDEX_NAME, prices=prices, is_index=True)]
    raise BadRecording(files[0].parent, 0, f"holds no price of {day}")
