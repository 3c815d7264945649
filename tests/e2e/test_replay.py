"""Replays of one recording at two speeds, and a backtest of it, give the same signals, orders, fills and money."""

from __future__ import annotations

import asyncio
import json
import subprocess
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import yaml

from faust_app.runtime.settings import PROJECT
from models.messages.ticks import to_rupees
from tests.e2e.agreement import of_backtest, of_pipeline
from tests.running_stack import COMMAND, WIDE_LIMITS, RunningStack
from tests.strategy_runs import OPEN, PAIR, Made, run
from trading.market.sessions import IST
from trading.market.ticks_from_bars import Bar, DayState, ticks_from_bar
from trading.strategies.pairs import Pairs, PairsParameters

SEED = 23
SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
MINUTES = 25
REPLAY_SECONDS = 1800


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


def test_speed_does_not_change_the_results_and_a_backtest_gives_them_too(tmp_path: Path) -> None:
    recording = record(tmp_path / "recording")
    one, other = stack_of(tmp_path / "a"), stack_of(tmp_path / "b")
    slow, fast = replay(one, recording, "150"), replay(other, recording, "1000", "--keep")
    assert slow["ticks_published"] == fast["ticks_published"] == len(SYMBOLS) * MINUTES * 4
    assert slow["fills"] > 20
    assert slow["errors"] == 0
    assert_same(slow, fast)
    pipeline, backtest = asyncio.run(of_pipeline(other.settings())), of_backtest(other.settings(), recording)
    assert len(pipeline.fills) > 20
    for found, expected in zip(pipeline, backtest, strict=True):
        assert found == expected


def test_a_pair_trades_both_legs_at_both_brokers(tmp_path: Path) -> None:
    """What the pipeline makes of the recording is what the strategy alone makes of its ticks, leg by leg."""
    recording = record(tmp_path / "recording")
    summary = replay(stack_of(tmp_path / "stack", "tests/e2e/pair_strategies.yaml"), recording, "1000")
    expected = 2 * len(wishes_of_the_pair())
    assert expected > 8
    assert (summary["signals"], summary["signals_denied"], summary["errors"]) == (expected, {}, 0)
    assert summary["signals_accepted"] == summary["orders"] == expected
    assert summary["fills"] >= expected


def wishes_of_the_pair() -> list[Made]:
    """What the pair of `pair_strategies.yaml` wishes for."""
    ticks = []
    for token, bars in zip(PAIR, session().values(), strict=False):
        day = DayState(token, 500)
        ticks += [tick for bar in bars for tick in ticks_from_bar(bar, day)]
    rows = yaml.safe_load((PROJECT / "tests/e2e/pair_strategies.yaml").read_text())
    strategy = Pairs(PairsParameters(**rows["pairs"]["parameters"]), PAIR)
    return run(strategy, sorted(ticks, key=lambda tick: tick.exchange_time))
