"""Drives the whole stack with a synthetic market and reports latency, lag, CPU and memory of every worker.

    make bench                                   2,000 and 9,000 ticks/s, a minute each
    make bench ARGS="--rates 2000 --seconds 30"

The market has as many instruments as ticks a second, at most 8,998 and two indices; one broker; the strategies of
`benchmarks/strategies.yaml`. Figures are of the time after the warm-up. Results are stored as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from faust_app.runtime.settings import PROJECT, load_settings
from stack.exchange import MarketChoice
from stack.files import write_json
from stack.run import Options, Run
from stack.scrape import PREFIX, Scraper, Totals, quantile

SEED = 7
RESULTS = PROJECT / "benchmarks" / "results"
MOST_SYMBOLS = 8_998  # and two indices: Kite streams at most 9,000
WIDE_LIMITS = {
    "MAX_GROSS_EXPOSURE": "1000000000000",
    "MAX_DAILY_LOSS": "1000000000000",
    "MAX_DAILY_TRADES": "100000000",
    "MAX_ORDER_RATE": "1000000",
    "MAX_DRAWDOWN_PERCENT": "100",
    "EQUITY_MARGIN_PERCENT": "0.0001",
    "MAX_OPEN_ORDERS": "1000000",
}


def histogram(totals: Totals, name: str) -> dict[float, float]:
    """Cumulative buckets over all workers."""
    found: dict[float, float] = {}
    for labels, value in totals.items(f"{PREFIX}{name}_bucket"):
        edge = float(labels["le"])
        found[edge] = found.get(edge, 0.0) + value
    return found


def since(before: Mapping[float, float], after: Mapping[float, float]) -> dict[float, float]:
    """What was observed between two readings."""
    return {edge: value - before.get(edge, 0.0) for edge, value in after.items()}


def milliseconds(buckets: Mapping[float, float], fraction: float) -> float | None:
    """A quantile in milliseconds."""
    found = quantile(buckets, fraction)
    return None if found is None else round(found * 1000, 1)


class Sample:
    """Everything read at one moment."""

    def __init__(self, run: Run, totals: Totals) -> None:
        self.at, self.wall = asyncio.get_running_loop().time(), time.time()
        self.published = totals.sum("ticks_published_total")
        self.processed = totals.sum("ticks_processed_total", "strategy_runner")
        self.dropped = totals.sum("ticks_dropped_total")
        self.signals = totals.sum("signals_total")
        self.orders = totals.sum("orders_submitted_total")
        self.lag = int(totals.sum("consumer_lag_messages"))
        self.to_order = histogram(totals, "tick_to_order_seconds")
        self.to_signal = histogram(totals, "tick_to_signal_seconds")
        self.processes = {
            name: (process.cpu_times().user + process.cpu_times().system, process.memory_info().rss)
            for name, process in ((name, psutil.Process(pid)) for name, pid in run.pids().items())
        }


def compare(first: Sample, last: Sample) -> dict[str, Any]:
    """The report on the time between two samples."""
    seconds = last.at - first.at
    order, signal = since(first.to_order, last.to_order), since(first.to_signal, last.to_signal)
    return {
        "seconds": round(seconds, 1),
        "ticks_published_per_second": round((last.published - first.published) / seconds),
        "ticks_processed_per_second": round((last.processed - first.processed) / seconds),
        "ticks_dropped": int(last.dropped - first.dropped),
        "signals_per_second": round((last.signals - first.signals) / seconds, 1),
        "orders": int(last.orders - first.orders),
        "tick_to_signal_ms": {"p50": milliseconds(signal, 0.5), "p99": milliseconds(signal, 0.99)},
        "tick_to_order_ms": {"p50": milliseconds(order, 0.5), "p99": milliseconds(order, 0.99), "max": highest(order)},
        "lag_start": first.lag,
        "lag_end": last.lag,
        "workers": {
            name: {
                "cpu_percent": round(100 * (cpu - first.processes[name][0]) / seconds, 1),
                "memory_mb": round(memory / 1e6, 1),
            }
            for name, (cpu, memory) in last.processes.items()
            if name in first.processes
        },
    }


def highest(buckets: Mapping[float, float]) -> str | None:
    """The bucket the slowest observation fell into, as `<= N ms`."""
    total = max(buckets.values(), default=0.0)
    edge = next((edge for edge in sorted(buckets) if total and buckets[edge] >= total), None)
    return None if edge is None else f"<= {edge * 1000:g} ms"


async def measure(rate: int, warm_up: float, seconds: float) -> dict[str, Any]:
    """Run the stack at one rate."""
    symbols = min(rate, MOST_SYMBOLS)
    with tempfile.TemporaryDirectory(prefix="alpha-panda-bench-") as folder:
        os.environ["ALPHA_PANDA__STACK__STATE_DIRECTORY"] = folder
        os.environ["ALPHA_PANDA__SEED__STRATEGIES_FILE"] = "benchmarks/strategies.yaml"
        os.environ |= {f"ALPHA_PANDA__RISK__{name}": value for name, value in WIDE_LIMITS.items()}
        market = MarketChoice(None, SEED, symbols, 1.0, rate=rate)
        run = Run(load_settings("base"), Options(market, {}, show_view=False), print)
        running = asyncio.create_task(run.run())
        await asyncio.wait({running, asyncio.create_task(run.ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        found = await _sample(run, warm_up, seconds)
        run.stop()
        summary = await running
    return {"rate": rate, "symbols": symbols, **found, "whole_run": summary}


async def _sample(run: Run, warm_up: float, seconds: float) -> dict[str, Any]:
    scraper = Scraper(run.pages())
    await asyncio.sleep(warm_up)
    await scraper.scrape()
    first = Sample(run, scraper.totals)
    await asyncio.sleep(seconds)
    await scraper.scrape()
    last = Sample(run, scraper.totals)
    await scraper.close()
    return {"began": first.wall, "ended": last.wall, "pids": run.pids(), **compare(first, last)}


def machine() -> str:
    """What the figures were measured on."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=int, nargs="+", default=[2000, 9000], help="ticks a second")
    parser.add_argument("--seconds", type=float, default=60, help="measured time")
    parser.add_argument("--warm-up", type=float, default=20, help="time before it")
    arguments = parser.parse_args()
    results = [asyncio.run(measure(rate, arguments.warm_up, arguments.seconds)) for rate in arguments.rates]
    report = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), "results": results}
    print(json.dumps(report, indent=2))
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"pipeline-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    write_json(Path(file), report)
    print(f"Stored in {file.relative_to(PROJECT)}")


if __name__ == "__main__":
    main()
