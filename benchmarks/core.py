"""Measures the trading core without Kafka: ticks, orders and decisions a second, and memory over a million ticks.

    make bench                                         this, then the pipeline
    python -m benchmarks.core --ticks 1000000
    python -m benchmarks.core --nautilus VENV/bin/python   the same ticks through NautilusTrader, too

One process, one core. The market is a seeded walk of 50 NSE equities, a tick a second each, with five levels a side.
Ticks are made in pieces between the measurements, so their making is not counted. Times are of the processor, so that
other programs disturb them little; what elapsed is given beside them. The strategy crosses two simple averages of
minute bars. Results are stored as JSON beside those of the pipeline.

NautilusTrader is never a dependency: make a virtual environment anywhere (`python -m venv VENV`, then
`VENV/bin/pip install nautilus_trader`) and name its interpreter.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from benchmarks.pipeline import RESULTS, machine
from benchmarks.trading_core import (
    BATCH,
    INSTRUMENTS,
    LIMITS,
    START,
    UNIVERSE,
    life_of_an_order_batches,
    measure,
    measure_decisions,
    ticks,
)
from faust_app.runtime.settings import PROJECT
from models.messages.ticks import Tick
from stack.files import write_json
from trading.backtest.engine import Backtest, Setup
from trading.strategies.crossover import Crossover, CrossoverParameters

SEED = 11
MOST_MOVE = 3  # tick sizes
SECONDS_AT_ONCE = 400
PARAMETERS = CrossoverParameters(minutes=1, fast=5, slow=20, quantity=10, allow_short=True)
BY_TOKEN = {one.instrument_token: one for one in UNIVERSE}
OBJECTIVES = {"ticks_per_second": 250_000, "orders_per_second": 20_000, "decision_p99_us": 50}
Second = tuple[int, list[Tick]]


def pieces(count: int) -> Iterator[list[Second]]:
    """The market in pieces of whole seconds, the same for every measurement."""
    last, most = None, INSTRUMENTS * SECONDS_AT_ONCE
    for start in range(0, count, most):
        made = ticks(min(count - start, most), SEED + start, MOST_MOVE, first=start, after=last)
        last = [one.last_price_units for one in made[-INSTRUMENTS:]]
        yield [(made[at].exchange_time, made[at : at + INSTRUMENTS]) for at in range(0, len(made), INSTRUMENTS)]


class Watch:
    """Processor and elapsed seconds of the measured parts, and the process's memory after each of them."""

    def __init__(self) -> None:
        self.cpu = self.elapsed = 0.0
        self.memory: list[int] = []
        self._process = psutil.Process()

    def __enter__(self) -> None:
        self._begin = time.process_time(), time.perf_counter()

    def __exit__(self, *_: object) -> None:
        cpu, elapsed = self._begin
        self.cpu += time.process_time() - cpu
        self.elapsed += time.perf_counter() - elapsed
        self.memory.append(self._process.memory_info().rss)

    def report(self, count: int) -> dict[str, Any]:
        """Rates, and how much memory grew over the second half."""
        settled = self.memory[len(self.memory) // 2 :]
        return {
            "ticks": count,
            "ticks_per_second": round(count / self.cpu),
            "cpu_seconds": round(self.cpu, 2),
            "elapsed_seconds": round(self.elapsed, 2),
            "memory_mb": round(settled[-1] / 1e6, 1),
            "memory_growth_mb": round((median(settled[-3:]) - median(settled[:3])) / 1e6, 1),
        }


def strategy_path(count: int) -> dict[str, Any]:
    """Ticks through the strategy as its host shows them: the clock, then the second's ticks."""
    strategy, wishes, watch = Crossover(PARAMETERS, BY_TOKEN), 0, Watch()
    on_clock, on_tick = strategy.on_clock, strategy.on_tick
    for piece in pieces(count):
        gc.collect()
        with watch:
            for clock, some in piece:
                wishes += len(on_clock(clock))
                for tick in some:
                    found = on_tick(tick, clock)
                    if found:
                        wishes += len(found)
    return {**watch.report(count), "wishes": wishes}


def whole_backtest(count: int) -> dict[str, Any]:
    """The same through strategy, risk, matching and accounting."""
    setup = Setup({"crossover": Crossover(PARAMETERS, BY_TOKEN)}, BY_TOKEN, LIMITS, Decimal(10**9))
    backtest, watch = Backtest(setup), Watch()
    for piece in pieces(count):
        gc.collect()
        with watch:
            for clock, some in piece:
                backtest.on_second(clock, some)
    result = backtest.finish()
    return {**watch.report(count), "signals": result.signals, "denied": result.denials, "fills": len(result.fills)}


def orders(seconds: float) -> dict[str, Any]:
    """Orders a second: decided, reserved, placed, matched, folded, and booked in the account with its charges."""
    taken = measure("an order from decision to account", life_of_an_order_batches(), seconds)
    return {"orders_per_second": round(1e6 / taken), "batch": BATCH, "positions": INSTRUMENTS}


def nautilus(python: Path, count: int) -> dict[str, Any]:
    """NautilusTrader's BacktestEngine on the same ticks with the same averages; why not, where it cannot run."""
    with TemporaryDirectory(prefix="alpha-panda-bench-") as folder:
        file = Path(folder) / "ticks.csv"
        with file.open("w") as out:
            for clock, tick in ((clock, tick) for piece in pieces(count) for clock, some in piece for tick in some):
                prices = (tick.last_price_units, tick.buy[0].price_units, tick.sell[0].price_units)
                out.write(",".join(map(str, (clock, tick.instrument_token, *(one // 100 for one in prices)))) + "\n")
        script = Path(__file__).with_name("nautilus.py")
        arguments = [str(python), str(script), str(file), str(PARAMETERS.fast), str(PARAMETERS.slow)]
        try:
            done = subprocess.run(arguments, capture_output=True, text=True, timeout=1800, check=False)
        except OSError as error:
            return {"absent": f"{python} cannot be run: {error.strerror}"}
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        return {"absent": lines[-1] if lines else f"it ended with {done.returncode}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ticks", type=int, default=1_000_000, help="ticks of the market")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long orders are measured")
    parser.add_argument("--nautilus", type=Path, help="a Python interpreter that has nautilus_trader")
    arguments = parser.parse_args()
    report: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "method": " ".join((__doc__ or "").split("\n\n")[2].split()),
        "seed": SEED,
        "first_second": START,
        "instruments": INSTRUMENTS,
        "objectives": OBJECTIVES,
        "strategy": strategy_path(arguments.ticks),
        "backtest": whole_backtest(arguments.ticks),
        "orders": orders(arguments.seconds),
        "decision": measure_decisions(int(20_000 * arguments.seconds)),
    }
    python = arguments.nautilus
    report["nautilus_trader"] = (
        {"absent": "no interpreter named with --nautilus"} if python is None else nautilus(python, arguments.ticks)
    )
    print(json.dumps(report, indent=2))
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"core-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    write_json(file, report)
    print(f"Stored in {file.relative_to(PROJECT)}")


if __name__ == "__main__":
    main()
