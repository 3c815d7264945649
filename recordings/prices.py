"""Reads recorded prices of an index, one a second: `2022-11-07 09:15:00,18000.05`, without a header."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from pathlib import Path

from recordings.files import complete, lines_of, moment, price_units, refuse_repeats

Price = tuple[int, int]  # epoch second, 1/10,000 rupee


def is_prices(file: Path) -> bool:
    """True for a file of prices, going by its first line."""
    _, first = next(lines_of(file), (0, []))
    return len(first) == 2


def read_prices(file: Path) -> dict[date, list[Price]]:
    """The prices of a file by day. Raises BadRecording."""
    days: defaultdict[date, list[Price]] = defaultdict(list)
    for number, row in complete(file, lines_of(file), 2):
        day, at = moment(file, number, row[0])
        days[day].append((at, price_units(file, number, row[1])))
    ordered = {day: sorted(days[day]) for day in sorted(days)}
    for prices in ordered.values():
        refuse_repeats(file, (at for at, _ in prices))
    return ordered
