"""Two replays of one recording, at two speeds, give the same signals, orders, fills and money."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from random import Random
from typing import Any

from faust_app.runtime.settings import PROJECT
from tests.running_stack import COMMAND, WIDE_LIMITS, RunningStack

SEED = 23
SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
MINUTES = 25
REPLAY_SECONDS = 1800


def record(folder: Path) -> Path:
    """Minute bars of a made-up session, in the format of recorded ones, rows out of order as those are."""
    rng = Random(SEED)
    print(f"seed {SEED}")
    folder.mkdir()
    for symbol in SYMBOLS:
        close, rows = rng.randint(4_000, 40_000), []
        for minute in range(MINUTES):
            prices = [close + rng.randint(-60, 60) for _ in range(4)]
            high, low = max(prices), min(prices)
            opened, close = prices[0], prices[3]
            cells = ", ".join(f"{price * 5 / 100:.2f}" for price in (opened, high, low, close))
            at = f"{9 + (15 + minute) // 60:02}:{(15 + minute) % 60:02}"
            rows.append(f"{symbol},2026-08-20 {at}:00, {cells}, {rng.randint(0, 9000)}")
        rng.shuffle(rows)
        (folder / f"{symbol}.csv").write_text("Code,Date,Open,High,Low,Close,Volume\n" + "\n".join(rows) + "\n")
    return folder


def replay(folder: Path, recording: Path, speed: str, *more: str, **variables: str) -> dict[str, Any]:
    """Replay on a state folder of its own; the summary. `variables` are added to the environment."""
    stack = RunningStack(folder, "sandbox", **WIDE_LIMITS, **variables)
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


def test_speed_does_not_change_the_results(tmp_path: Path) -> None:
    recording = record(tmp_path / "recording")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    slow, fast = replay(tmp_path / "a", recording, "150"), replay(tmp_path / "b", recording, "1000")
    assert slow["ticks_published"] == fast["ticks_published"] == len(SYMBOLS) * MINUTES * 4
    assert slow["fills"] > 20
    assert_same(slow, fast)
