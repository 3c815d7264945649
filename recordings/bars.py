"""Reads recorded bars, of a minute to a day.

    Code,Date,Open,High,Low,Close,Volume           minutes, times in IST
    datetime,open,high,low,close,volume[,oi]       what Kite's historical data gives; the symbol is in the file's name

Rows may be in any order. A row that cannot be used is an error with file and line.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

from recordings.errors import BadRecording
from recordings.files import MOST_VOLUME, Line, complete, lines_of, moment, price_units, refuse_repeats
from trading.market.sessions import DAY_SECONDS, IST_SECONDS, continuous_hours, session_start
from trading.market.ticks_from_bars import Bar

MINUTE = 60
SESSION_SECONDS = 6 * 3600 + 15 * 60  # 09:15 to 15:30
WITH_CODE = ("code", "date", "open", "high", "low", "close", "volume")
PLAIN = ("open", "high", "low", "close", "volume")
TIME_NAMES = ("datetime", "date")
NAME_END = re.compile(r"_(\d*minute|day|daily|hourly)(_.*)?$")


@dataclass
class BarFile:
    """One symbol's bars by day, each `seconds` long. An index is what never had volume, on any day of its file."""

    symbol: str
    seconds: int
    days: dict[date, list[Bar]]
    is_index: bool


def read_bars(file: Path) -> BarFile:
    """The bars of a file. Raises BadRecording."""
    lines = lines_of(file)
    _, header = next(lines, (0, []))
    names = tuple(name.strip().lower() for name in header)
    has_code = names == WITH_CODE
    if not has_code and not (names[:1] and names[0] in TIME_NAMES and names[1:6] == PLAIN):
        wanted = "Code,Date,Open,High,Low,Close,Volume or datetime,open,high,low,close,volume"
        raise BadRecording(file, 1, f"expected the columns {wanted}")
    first = 1 if has_code else 0
    symbol, days = "", defaultdict(list)
    for number, row in complete(file, lines, len(names)):
        symbol = symbol or row[0].strip()
        if has_code and row[0].strip() != symbol:
            raise BadRecording(file, number, f"is of {row[0].strip()!r}, in a file of {symbol!r}")
        day, bar = _bar(file, (number, row), first)
        days[day].append(bar)
    if not days:
        raise BadRecording(file, 0, "holds no bar")
    ordered = {day: sorted(days[day], key=lambda bar: bar.start) for day in sorted(days)}
    _check(file, ordered)
    is_index = not any(bar.volume for bars in ordered.values() for bar in bars)
    seconds = MINUTE if has_code else _length(ordered)
    if seconds == SESSION_SECONDS:
        ordered = {day: [_from_open(bar, day) for bar in bars] for day, bars in ordered.items()}
    return BarFile(symbol if has_code else _symbol(file), seconds, ordered, is_index)


def _bar(file: Path, line: Line, first: int) -> tuple[date, Bar]:
    number, row = line
    day, start = moment(file, number, row[first])
    opened, high, low, close = [price_units(file, number, cell) for cell in row[first + 1 : first + 5]]
    try:
        volume = int(row[first + 5])
    except ValueError as error:
        raise BadRecording(file, number, f"the volume {row[first + 5].strip()!r} is not a whole number") from error
    if start % MINUTE:
        raise BadRecording(file, number, f"the bar of {row[first].strip()} does not begin with a minute")
    if not low <= min(opened, close) <= max(opened, close) <= high or volume < 0:
        cells = row[first + 1 : first + 6]
        raise BadRecording(file, number, f"open, high, low, close and volume contradict each other: {cells}")
    return day, Bar(start, opened, high, low, close, volume)


def _check(file: Path, days: dict[date, list[Bar]]) -> None:
    for day, bars in days.items():
        refuse_repeats(file, (bar.start for bar in bars))
        if sum(bar.volume for bar in bars) > MOST_VOLUME:
            raise BadRecording(file, 0, f"the volume of {day} is more than the {MOST_VOLUME} a packet can carry")


def _length(days: dict[date, list[Bar]]) -> int:
    """The shortest distance of two bars of a day; of bars of a day, which are dated at midnight, the session."""
    if all((bar.start + IST_SECONDS) % DAY_SECONDS == 0 for bars in days.values() for bar in bars):
        return SESSION_SECONDS
    return min((after.start - bar.start for bars in days.values() for bar, after in pairwise(bars)), default=MINUTE)


def _from_open(bar: Bar, day: date) -> Bar:
    """A day's bar from the open of its session."""
    hours = continuous_hours(None, day)
    start = hours[0][0] if hours else session_start(day)
    return Bar(start, bar.open_units, bar.high_units, bar.low_units, bar.close_units, bar.volume)


def _symbol(file: Path) -> str:
    return NAME_END.sub("", file.name.partition(".")[0])
