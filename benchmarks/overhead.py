"""What metrics and logs cost of the pipeline's CPU: one run in which every worker has them in turns of two seconds.

    python -m benchmarks.overhead                      9,000 ticks/s, four minutes
    python -m benchmarks.overhead --rate 2000 --seconds 120

Two runs, one with and one without, differ more by the machine's noise than by what is measured; neighbouring turns
of one run do not. Without: metrics do nothing and nothing is logged (`benchmarks/in_turns`). CPU time of the
workers, not of Kafka, PostgreSQL, Redis or the sandbox. `monitor`, which is there to measure, counts as it is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.in_turns.sitecustomize import TURN_SECONDS, turn_is_on
from benchmarks.pipeline import RESULTS, machine, measure
from faust_app.runtime.settings import PROJECT
from stack.files import write_json

SEED = 7
SAMPLES = 2_000
Round = Mapping[str, tuple[float, float]]
"""CPU seconds of each worker in four turns: of the two with metrics and logs, and of the two without."""


def rounds(turns: Mapping[str, Mapping[int, float]]) -> list[Round]:
    """The whole rounds of four turns which every worker has, from the CPU seconds by worker and turn."""
    common = set.intersection(*(set(found) for found in turns.values()))
    starts = [number for number in sorted(common) if number % 4 == 0 and common >= {number + i for i in range(4)}]
    return [
        {name: (_sum(found, start, on=True), _sum(found, start, on=False)) for name, found in turns.items()}
        for start in starts
    ]


def _sum(found: Mapping[int, float], start: int, *, on: bool) -> float:
    return sum(found[number] for number in range(start, start + 4) if turn_is_on(number) is on)


def share(pairs: Sequence[tuple[float, float]]) -> float:
    """Percent of the CPU used with metrics and logs, the first of each pair, that goes away without them."""
    on, off = sum(one[0] for one in pairs), sum(one[1] for one in pairs)
    return 100 * (on - off) / on if on else 0.0


def report(found: list[Round], seed: int = SEED) -> dict[str, Any]:
    """Shares with the interval that holds 90 % of resampled ones; CPU percent by worker, medians over the rounds."""
    whole = [(sum(on for on, _ in one.values()), sum(off for _, off in one.values())) for one in found]
    drawn, seconds = random.Random(seed), 2 * TURN_SECONDS
    again = sorted(share(drawn.choices(whole, k=len(whole))) for _ in range(SAMPLES))
    return {
        "rounds": len(found),
        "overhead_percent": round(share(whole), 1),
        "overhead_percent_90": [round(again[SAMPLES // 20], 1), round(again[-SAMPLES // 20], 1)],
        "workers": {
            name: {
                "with_cpu_percent": round(100 * median(one[name][0] for one in found) / seconds, 1),
                "without_cpu_percent": round(100 * median(one[name][1] for one in found) / seconds, 1),
                "overhead_percent": round(share([one[name] for one in found]), 1),
            }
            for name in sorted(found[0])
        },
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=9000, help="ticks a second")
    parser.add_argument("--seconds", type=float, default=240, help="measured time")
    parser.add_argument("--warm-up", type=float, default=25, help="time before it")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="alpha-panda-turns-") as folder:
        os.environ |= {"PYTHONPATH": str(PROJECT / "benchmarks" / "in_turns"), "ALPHA_PANDA_TURNS": folder}
        whole = asyncio.run(measure(asked.rate, asked.warm_up, asked.seconds))
        first, last = whole["began"] / TURN_SECONDS, whole["ended"] / TURN_SECONDS
        turns = {
            name: {n: cpu for n, cpu in _turns(Path(folder) / str(pid)) if first <= n < last}
            for name, pid in whole["pids"].items()
            if (Path(folder) / str(pid)).exists()
        }
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "rate": asked.rate,
        "ticks_processed_per_second": 2 * whole["ticks_processed_per_second"],  # counted in every other turn
        **report(rounds(turns)),
    }
    print(json.dumps(found, indent=2))
    RESULTS.mkdir(exist_ok=True)
    write_json(RESULTS / f"overhead-{datetime.now(UTC):%Y%m%d-%H%M%S}.json", found)


def _turns(file: Path) -> Iterator[tuple[int, float]]:
    for line in file.read_text().splitlines():
        number, seconds = line.split()
        yield int(number), float(seconds)


if __name__ == "__main__":
    main()
