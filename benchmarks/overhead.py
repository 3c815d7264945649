"""What metrics and logs cost of the pipeline's CPU: the same market with them and without, one after the other.

    python -m benchmarks.overhead                      9,000 ticks/s, three pairs
    python -m benchmarks.overhead --rate 2000 --pairs 1

Without: metrics do nothing (`benchmarks/without_metrics`) and nothing below `error` is logged. CPU time of the
workers, not of Kafka, PostgreSQL, Redis or the sandbox; medians over the pairs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from statistics import median
from typing import Any

from benchmarks.pipeline import RESULTS, machine, measure
from faust_app.runtime.settings import PROJECT
from stack.run import write_json

WITHOUT = {"PYTHONPATH": str(PROJECT / "benchmarks" / "without_metrics"), "ALPHA_PANDA__LOG__LEVEL": "error"}
NO_WORKERS = ("kafka", "postgres", "redis", "exchange", "sandbox", "prometheus", "alertmanager")


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables that the workers inherit."""
    before = dict(os.environ)
    os.environ |= values
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before


def cpu(found: Mapping[str, Any]) -> dict[str, float]:
    """CPU percent of each worker."""
    return {name: row["cpu_percent"] for name, row in found["workers"].items() if name not in NO_WORKERS}


def one(rate: int, warm_up: float, seconds: float, variables: Mapping[str, str]) -> dict[str, float]:
    """One run."""
    with environment(variables):
        return cpu(asyncio.run(measure(rate, warm_up, seconds)))


def compare(pairs: list[tuple[dict[str, float], dict[str, float]]]) -> dict[str, Any]:
    """Medians by worker and of all together, and what the difference is of what is used with them."""
    names = sorted(pairs[0][0])
    workers = {
        name: {"with": median(with_[name] for with_, _ in pairs), "without": median(out[name] for _, out in pairs)}
        for name in names
    }
    totals = [(sum(with_.values()), sum(out.values())) for with_, out in pairs]
    return {
        "workers_cpu_percent": workers,
        "pairs_cpu_percent": [{"with": round(a, 1), "without": round(b, 1)} for a, b in totals],
        "overhead_percent": round(median(100 * (a - b) / a for a, b in totals), 1),
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=9000, help="ticks a second")
    parser.add_argument("--pairs", type=int, default=3, help="runs with and without")
    parser.add_argument("--seconds", type=float, default=40, help="measured time of a run")
    parser.add_argument("--warm-up", type=float, default=25, help="time before it")
    asked = parser.parse_args()
    pairs = []
    for number in range(asked.pairs):
        order = ({}, WITHOUT) if number % 2 == 0 else (WITHOUT, {})
        runs = [one(asked.rate, asked.warm_up, asked.seconds, variables) for variables in order]
        pairs.append((runs[0], runs[1]) if number % 2 == 0 else (runs[1], runs[0]))
    report = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), **compare(pairs)}
    print(json.dumps(report, indent=2))
    RESULTS.mkdir(exist_ok=True)
    write_json(RESULTS / f"overhead-{datetime.now(UTC):%Y%m%d-%H%M%S}.json", report)


if __name__ == "__main__":
    main()
