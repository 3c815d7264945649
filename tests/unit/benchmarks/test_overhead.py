"""`benchmarks.overhead`: what it makes of the CPU seconds of turns."""

from __future__ import annotations

import random

from benchmarks.in_turns.sitecustomize import turn_is_on
from benchmarks.overhead import report, rounds

SEED = 5


def turns(first: int, last: int, off: float, on: float) -> dict[int, float]:
    """CPU seconds by turn of a worker."""
    return {number: on if turn_is_on(number) else off for number in range(first, last)}


def test_a_drift_of_the_machine_is_no_overhead() -> None:
    drifting = {number: 1.0 + number / 10 for number in range(40)}
    assert report(rounds({"a": drifting}))["overhead_percent"] == 0


def test_only_whole_rounds_that_every_worker_has_count() -> None:
    found = rounds({"a": turns(2, 14, 1, 1), "b": turns(0, 11, 1, 1)})
    assert found == [{"a": (2, 2), "b": (2, 2)}]


def test_a_share_that_is_there_is_found_in_noise() -> None:
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    noisy = {number: cpu * rng.uniform(0.8, 1.2) for number, cpu in turns(0, 400, 0.96, 1.0).items()}
    found = report(rounds({"a": noisy, "b": turns(0, 400, 0, 0)}))
    low, high = found["overhead_percent_90"]
    assert low < 4 < high
    assert high - low < 5
    assert found["workers"]["b"]["overhead_percent"] == 0
