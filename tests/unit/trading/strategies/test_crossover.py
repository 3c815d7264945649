"""Crossover: two simple averages of closes."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.strategy_runs import DAY, OPEN, build, closes, run, targets
from trading.strategies.crossover import Crossover


def test_it_goes_long_above_and_flat_below() -> None:
    rise, fall = [100, 100, 100, 110, 120, 130], [120, 100, 90, 80, 80]  # (110 + 100) / 2 is above (3 * 100 + 110) / 4
    found = run(build(Crossover, fast=2, slow=4, quantity=7, allow_short=False), closes([*rise, *fall]))
    assert targets(found) == [(4, 7), (8, 0)]


def test_it_goes_short_only_when_it_is_allowed_to() -> None:
    fall = [130, 120, 110, 100, 90, 80]
    assert run(build(Crossover, fast=2, slow=4, allow_short=False), closes(fall)) == []
    assert targets(run(build(Crossover, fast=2, slow=4, allow_short=True), closes(fall))) == [(4, -10)]


def test_averages_that_are_equal_say_nothing() -> None:
    assert run(build(Crossover, fast=2, slow=4), closes([100] * 9)) == []


def test_a_position_is_wished_for_again_on_a_new_day() -> None:
    """The intraday position of the day before is gone; the averages are not."""
    rise = [100 + number for number in range(6)]
    tomorrow = closes([108, 109, 110], begin=OPEN + DAY)
    found = run(build(Crossover, fast=2, slow=4), closes(rise) + tomorrow)
    assert targets(found) == [(4, 10), (24 * 60 + 1, 10)]


def test_longer_bars_are_asked_for_by_minutes() -> None:
    rise = [100 + number for number in range(20)]
    assert targets(run(build(Crossover, fast=1, slow=2, minutes=5), closes(rise))) == [(10, 10)]


def test_the_fast_window_must_be_the_shorter_one() -> None:
    with pytest.raises(ValidationError, match=r"fast \(4\) must be below slow \(4\)"):
        build(Crossover, fast=4, slow=4)
