"""Ticks that have stopped while the market is open, and silence that is none."""

from __future__ import annotations

from agents.feed.silence import TickSilence
from tests.factories import AT, instrument

OPEN = AT + 3600  # 09:45 IST
CLOSED = AT + 9 * 3600  # 17:45 IST


def silence(seconds: float = 8.0) -> TickSilence:
    return TickSilence([instrument(), instrument(has_derivatives=True)], seconds, now=100.0)


def test_no_tick_for_longer_than_the_limit_is_told() -> None:
    one = silence()
    one.note(OPEN, 200.0)
    assert one.reason(208.0, wall=0) == ""
    assert one.reason(208.5, wall=0) == "No tick for 8 s while the market is open"
    one.note(OPEN + 9, 209.0)
    assert one.reason(210.0, wall=0) == ""


def test_silence_of_a_closed_market_is_none() -> None:
    one = silence()
    one.note(CLOSED, 200.0)
    assert one.reason(300.0, wall=OPEN) == ""


def test_the_market_closes_while_nothing_comes() -> None:
    one = silence()
    one.note(OPEN, 200.0)
    assert one.reason(200.0 + CLOSED - OPEN, wall=OPEN) == ""


def test_before_the_first_tick_the_wall_clock_says_whether_the_market_is_open() -> None:
    assert silence().reason(109.0, wall=OPEN)
    assert silence().reason(109.0, wall=CLOSED) == ""
