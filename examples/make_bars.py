"""Writes minute bars of a generated market, to try a strategy on: `python examples/make_bars.py FOLDER [SEED]`."""

from __future__ import annotations

import csv
import sys
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

HEADER = ("Code", "Date", "Open", "High", "Low", "Close", "Volume")
FIRST_DAY = datetime(2026, 6, 15, 9, 15)  # noqa: DTZ001 - recordings are in IST; a Monday
DAYS = 5
MINUTES = 375
SYMBOLS = ("INFY", "TCS")


def write(path: Path, symbol: str, rng: Random) -> None:
    """Five sessions of a walk with slow drifts, in steps of 5 paise."""
    price, drift = 30_000, 0.0
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(HEADER)
        for number in range(DAYS * MINUTES):
            at = FIRST_DAY + timedelta(days=number // MINUTES, minutes=number % MINUTES)
            drift = 0.97 * drift + rng.gauss(0, 1)
            opened, price = price, max(1000, price + round(drift + rng.gauss(0, 8)))
            high, low = max(opened, price) + rng.randint(0, 6), min(opened, price) - rng.randint(0, 6)
            prices = [f"{steps / 20:.2f}" for steps in (opened, high, low, price)]
            rows.writerow([symbol, f"{at:%Y-%m-%d %H:%M:%S}", *prices, rng.randint(50, 5000)])


def main(folder: Path, seed: int) -> None:
    """One file a symbol."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, symbol in enumerate(SYMBOLS):
        write(folder / f"{symbol}.csv", symbol, Random(seed + number))
    sys.stdout.write(f"{folder}: {len(SYMBOLS)} symbols, {DAYS} sessions from {FIRST_DAY:%Y-%m-%d}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
