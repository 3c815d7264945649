"""The exchange's own clock."""

from __future__ import annotations

import pytest

from sandbox.clock import Clock, next_token_end, stamp
from tests.floor import OPENING

DAY = 86_400
SIX = OPENING - (3 * 60 + 15) * 60


def test_alarms_ring_in_order_each_at_its_own_time() -> None:
    clock, rung = Clock(100.0), list[tuple[str, float]]()
    clock.after(20, lambda: rung.append(("late", clock.now)))
    clock.after(10, lambda: clock.after(5, lambda: rung.append(("next", clock.now))))
    clock.after(10, lambda: rung.append(("early", clock.now)))
    clock.after(0, lambda: rung.append(("now", clock.now)))
    clock.advance(9)
    clock.play(200)
    assert rung == [("now", 100), ("early", 110), ("next", 115), ("late", 120)]
    assert clock.now == 209


def test_market_never_turns_the_clock_back() -> None:
    clock = Clock(100.0)
    clock.play(150)
    clock.play(120)
    assert clock.now == 150


@pytest.mark.parametrize(
    ("at", "end"), [(OPENING, SIX + DAY), (SIX - 1, SIX), (SIX, SIX + DAY), (SIX + 0.5, SIX + DAY)]
)
def test_sessions_end_at_the_next_six(at: float, end: float) -> None:
    assert next_token_end(at) == end


def test_times_are_naive_indian_ones() -> None:
    assert stamp(OPENING) == "2026-08-20 09:15:00"
