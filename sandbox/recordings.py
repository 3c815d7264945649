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


@dataclass
class Recording:
    """One symbol's session: bars, or prices by second. `previous_close_units` is 0 when unknown."""

    symbol: str
    bars: list[Bar] = field(default_factory=list)
    prices: list[tuple[int, int]] = field(default_factory=list)  # epoch second, 1/10,000 rupee
    previous_close_units: int = 0


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
    recordings = []
    for file in files[:most]:
        day, recording = _read_bars(file, day)
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
    lines = [(row[1], number, row) for number, row in rows if _has_columns(file, number, row, len(BAR_HEADER))]
    wanted = day.isoformat() if day is not None else min((at[:10] for at, _, _ in lines), default="")
    earlier = [line for line in lines if line[0][:10] < wanted]
    of_day = [line for line in lines if line[0][:10] == wanted]
    if not of_day:
        raise BadRecording(file, 0, f"holds no bar of {wanted or 'any day'}")
    bars = [_bar(file, number, row) for _, number, row in sorted(of_day)]
    _no_repeats(file, (bar.start for bar in bars))
    before = _bar(file, *max(earlier)[1:]).close_units if earlier else 0
    return date.fromisoformat(wanted), Recording(of_day[0][2][0], bars=bars, previous_close_units=before)


def _has_columns(file: Path, number: int, row: list[str], count: int) -> bool:
    if len(row) != count:
        raise BadRecording(file, number, f"expected {count} columns, found {len(row)}")
    return True


def _no_repeats(file: Path, times: Iterable[int]) -> None:
    before = None
    for at in times:
        if at == before:
            raise BadRecording(file, 0, f"has two rows for {datetime.fromtimestamp(at, IST):%Y-%m-%d %H:%M:%S}")
        before = at


def _bar(file: Path, number: int, row: list[str]) -> Bar:
    try:
        open_units, high, low, close = (to_units(Decimal(cell.strip())) for cell in row[2:6])
        bar = Bar(_epoch(row[1]), open_units, high, low, close, int(row[6]))
    except (ValueError, InvalidOperation, OverflowError) as error:
        raise BadRecording(file, number, f"not a bar: {error or row}") from error
    if not 0 < bar.low_units <= min(open_units, close) <= max(open_units, close) <= high or bar.volume < 0:
        raise BadRecording(file, number, f"open, high, low, close and volume contradict each other: {row[2:]}")
    return bar


def _epoch(text: str) -> int:
    return int(datetime.strptime(text.strip(), "%Y-%m-%d %H:%M:%S").replace(tzinfo=IST).timestamp())


def _read_prices(files: list[Path], day: date | None) -> tuple[date, list[Recording]]:
    for file in files:
        rows = [line for line in _rows(file) if _has_columns(file, *line, 2)]
        wanted = day.isoformat() if day is not None else rows[0][1][0][:10]
        prices = sorted(_price(file, number, row) for number, row in rows if row[0][:10] == wanted)
        if prices:
            _no_repeats(file, (at for at, _ in prices))
            return date.fromisoformat(wanted), [Recording(INDEX_NAME, prices=prices)]
    raise BadRecording(files[0].parent, 0, f"holds no price of {day}")


def _price(file: Path, number: int, row: list[str]) -> tuple[int, int]:
    try:
        return _epoch(row[0]), to_units(Decimal(row[1].strip()))
    except (ValueError, InvalidOperation) as error:
        raise BadRecording(file, number, f"not a price: {error or row}") from error
