"""Series to compare indicators on: generated walks and the recorded minutes of 2016."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from random import Random

from models.messages.ticks import to_units
from tests.factories import TOKEN
from trading.market.ticks_from_bars import Bar

START = 1_471_319_100  # 2016-08-16 09:15 IST
TOKENS = (TOKEN, TOKEN + 256)


def generated(seed: int, count: int) -> list[Bar]:
    """Bars of a walk in steps of 5 paise, one a minute."""
    rng, price, found = Random(seed), 15_000_000, []
    for number in range(count):
        path = [price] + [price + rng.randint(-40, 40) * 500 for _ in range(3)]
        price = path[-1]
        found.append(Bar(START + 60 * number, path[0], max(path), min(path), price, rng.randint(0, 5000)))
    return found


def recorded(file: Path) -> list[Bar]:
    """All bars of one file of recorded minutes, in time order, by an independent reading of the file."""
    from datetime import datetime
    from decimal import Decimal

    from trading.market.sessions import IST

    with gzip.open(file, "rt") as lines:
        rows = sorted([cell.strip() for cell in row] for row in list(csv.reader(lines))[1:])
    return [
        Bar(
            int(datetime.fromisoformat(when).replace(tzinfo=IST).timestamp()),
            *(to_units(Decimal(cell)) for cell in prices),
            int(volume),
        )
        for _, when, *prices, volume in rows
    ]
