"""Frames kept for orders that arrive late."""

from __future__ import annotations

from agents import recent_frames
from agents.recent_frames import RecentFrames
from faust_app.runtime.codec import encode_frame
from models.messages.ticks import FRAME_VERSION, Tick, TickFrame
from tests.factories import AT, TOKEN, tick


def raw(*ticks: Tick) -> bytes:
    return encode_frame(TickFrame(FRAME_VERSION, "frame", "run", 1, AT, 1, "shared", ticks))


def test_it_gives_the_clock_and_the_instruments_ticks_from_a_second_on() -> None:
    frames = RecentFrames()
    one, other = tick(sequence=1), tick(sequence=1, instrument_token=1)
    frames.add("run", AT, raw(one))
    frames.add("run", AT + 1, b"")
    frames.add("run", AT + 1, raw(other))
    frames.add("run", AT + 2, raw(other, tick(sequence=2)))
    assert list(frames.since("run", TOKEN, AT + 1)) == [(AT + 1, ()), (AT + 1, ()), (AT + 2, (tick(sequence=2),))]
    assert next(frames.since("run", TOKEN, AT)) == (AT, (one,))


def test_frames_of_another_run_are_not_given() -> None:
    frames = RecentFrames()
    frames.add("before", AT, raw(tick()))
    frames.add("run", AT, raw(tick()))
    assert len(list(frames.since("run", TOKEN, AT))) == 1
    assert list(frames.since("before", TOKEN, AT)) == []


def test_an_empty_frame_is_kept_only_when_it_moves_the_clock() -> None:
    frames = RecentFrames()
    for second in (AT, AT, AT + 1, AT + 1):
        frames.add("run", second, b"")
    assert [clock for clock, _ in frames.since("run", TOKEN, AT)] == [AT, AT + 1]


def test_the_oldest_are_forgotten() -> None:
    frames = RecentFrames()
    one = raw(tick())
    for second in range(recent_frames.MOST_BYTES // len(one) + 10):
        frames.add("run", AT + second, one)
    clocks = [clock for clock, _ in frames.since("run", TOKEN, AT)]
    assert len(clocks) == recent_frames.MOST_BYTES // len(one)
    assert clocks[0] == AT + 10
