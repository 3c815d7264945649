"""The long proof: a recorded session of twenty symbols through the whole pipeline, twice, and through a backtest."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from recordings.markets import open_market
from tests.e2e.agreement import of_backtest, of_pipeline
from tests.e2e.test_replay import assert_same, replay, stack_of
from tests.shared_data import shared_data

SYMBOLS = 20

pytestmark = [pytest.mark.prove, pytest.mark.timeout(7200)]


def test_recorded_session_gives_the_same_results_at_two_speeds_and_in_a_backtest(tmp_path: Path) -> None:
    recording = shared_data("minute_2016_kite")
    day = open_market(recording, SYMBOLS).days[0]
    slow, fast = (stack_of(tmp_path / name, "tests/chaos/replay_strategies.yaml") for name in ("slow", "fast"))
    chosen = ("--symbols", str(SYMBOLS), "--session-date", str(day), "--keep")
    results = [replay(stack, recording, speed, *chosen) for stack, speed in ((slow, "200"), (fast, "1000"))]
    print(*results, sep="\n")
    assert results[0]["ticks_published"] == SYMBOLS * 375 * 4
    assert_same(*results)
    settings = fast.settings()
    backtest = of_backtest(settings, recording, SYMBOLS, day)
    for broker, pipeline in asyncio.run(of_pipeline(settings)).items():
        for found, expected in zip(pipeline, backtest, strict=True):
            assert found == expected, broker
