"""The long proof: a recorded session of twenty symbols through the whole pipeline, twice, at two speeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.test_replay import assert_same, replay
from tests.shared_data import shared_data

STRATEGIES = {"ALPHA_PANDA__SEED__STRATEGIES_FILE": "tests/chaos/replay_strategies.yaml"}

pytestmark = [pytest.mark.prove, pytest.mark.timeout(3600)]


def test_recorded_session_gives_the_same_results_at_two_speeds(tmp_path: Path) -> None:
    recording = shared_data("minute_2016_kite")
    results = []
    for number, speed in enumerate(("200", "1000")):
        folder = tmp_path / str(number)
        folder.mkdir()
        results.append(replay(folder, recording, speed, "--symbols", "20", **STRATEGIES))
        print(results[-1])
    assert results[0]["ticks_published"] == 20 * 375 * 4
    assert_same(*results)
