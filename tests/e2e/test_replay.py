"""Replays of one recording at two speeds, and a backtest of it, give the same signals, orders, fills and money."""

from __future__ import annotations

import asyncio
import json
import subprocess
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from faust_app.runtime.settings import PROJECT
from models.messages.ticks import to_rupees
from tests.e2e.agreement import of_backtest, of_pipeline
from tests.running_stack import COMMAND, WIDE_LIMITS, RunningStack
from tests.strategy_runs import OPEN
from trading.market.sessions import IST
from trading.market.ticks_from_bars import Bar

SEED = 23
SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
MINUTES = 12
REPLAY_SECONDS = 3600


def session() -> dict[str, list[Bar]]:
    """Minutes of a made-up session by symbol."""
    rng = Random(SEED)
    print(f"seed {SEED}")
    found: dict[str, list[Bar]] = {}
    for symbol in SYMBOLS:
        close, found[symbol] = rng.randint(4_000, 40_000), []
        for minute in range(MINUTES):
            prices = [close + rng.randint(-60, 60) for _ in range(4)]
            opened, close = prices[0], prices[3]
            four = (500 * price for price in (opened, max(prices), min(prices), close))
            found[symbol].append(Bar(OPEN + 60 * minute, *four, rng.randint(0, 9000)))
    return found


def record(folder: Path) -> Path:
    """The session in the format of recorded ones, rows out of order as those are."""
    rng = Random(SEED)
    folder.mkdir()
    for symbol, bars in session().items():
        rows = []
        for bar in bars:
            units = (bar.open_units, bar.high_units, bar.low_units, bar.close_units)
            cells = ", ".join(f"{to_rupees(price):.2f}" for price in units)
            rows.append(f"{symbol},{datetime.fromtimestamp(bar.start, IST):%Y-%m-%d %H:%M:%S}, {cells}, {bar.volume}")
        rng.shuffle(rows)
        (folder / f"{symbol}.csv").write_text("Code,Date,Open,High,Low,Close,Volume\n" + "\n".join(rows) + "\n")
    return folder


def stack_of(folder: Path, strategies: str = "tests/e2e/replay_strategies.yaml") -> RunningStack:
    """A stack with a state folder of its own."""
    file = {"ALPHA_PANDA__SEED__STRATEGIES_FILE": strategies}
    folder.mkdir()
    return RunningStack(folder, "sandbox", **WIDE_LIMITS, **file)


def replay(stack: RunningStack, recording: Path, speed: str, *more: str) -> dict[str, Any]:
    """Replay on that stack; the summary."""
    arguments = ["replay", str(recording), "--speed", speed, "--no-view", "--json", str(stack.summary_file), *more]
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=PROJECT,
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=REPLAY_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary: dict[str, Any] = json.loads(stack.summary_file.read_text())
    return summary


def assert_same(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert first["digest"] == second["digest"]
    for broker, pnl in first["pnl"].items():
        assert second["pnl"][broker] == pnl


def test_a_replay_and_a_backtest_give_the_same(tmp_path: Path) -> None:
    recording, stack = record(tmp_path / "recording"), stack_of(tmp_path / "a")
    summary = replay(stack, recording, "1000", "--keep")
    assert summary["ticks_published"] == len(SYMBOLS) * MINUTES * 4
    assert summary["fills"] > 20
    assert summary["errors"] == 0
    settings = stack.settings()
    backtest = of_backtest(settings, recording)
    strategies = {row[1] for row in backtest.fills}
    assert strategies >= {"momentum", "mean_reversion", "low_frequency", "crossover", "opening_range", "pairs"}
    for broker, pipeline in asyncio.run(of_pipeline(settings)).items():
        for found, expected in zip(pipeline, backtest, strict=True):
            assert found == expected, broker


@pytest.mark.prove
def test_speed_does_not_change_the_results(tmp_path: Path) -> None:
    recording = record(tmp_path / "recording")
    slow, fast = (replay(stack_of(tmp_path / speed), recording, speed) for speed in ("150", "1000"))
    assert slow["fills"] > 20
    assert_same(slow, fast)
