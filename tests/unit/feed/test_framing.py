"""Frames: the clock moves for every partition before any tick of the new second, however ticks were batched."""

from __future__ import annotations

from itertools import count, pairwise

from hypothesis import given
from hypothesis import strategies as st

from agents.feed.framing import Framing
from agents.feed.marks import MOST_IN_MESSAGE, MarkBoard
from models.messages.ticks import Tick, TickFrame
from tests.factories import AT, instrument, tick

PARTITIONS = 3


def framing() -> Framing:
    numbers = count(1)
    return Framing("run", PARTITIONS, lambda token: token % PARTITIONS, lambda: f"id{next(numbers)}")


def run(ticks: list[Tick], cuts: list[int]) -> list[list[TickFrame]]:
    """Frames by partition when the ticks arrive in batches cut at `cuts`."""
    made, found = framing(), [[] for _ in range(PARTITIONS)]
    edges = sorted({0, len(ticks), *(cut for cut in cuts if cut < len(ticks))})
    for start, end in pairwise(edges):
        for partition, frame in (*made.add([(one, 1) for one in ticks[start:end]]), *made.flush()):
            found[partition].append(frame)
    return found


steps = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2)), max_size=40)


def ticks_of(moves: list[tuple[int, int]]) -> list[Tick]:
    at, found = AT, []
    for number, (token, pause) in enumerate(moves, 1):
        at += pause
        found.append(tick(instrument_token=token, sequence=number, at=at))
    return found


@given(moves=steps, cuts=st.lists(st.integers(1, 40)), others=st.lists(st.integers(1, 40)))
def test_what_a_partition_sees_does_not_depend_on_batching(
    moves: list[tuple[int, int]], cuts: list[int], others: list[int]
) -> None:
    ticks = ticks_of(moves)

    def seen(frames: list[TickFrame]) -> list[object]:
        return [
            entry
            for one in frames
            for entry in ([one.event_time] if not one.ticks else [(one.event_time, each) for each in one.ticks])
        ]

    assert [seen(one) for one in run(ticks, cuts)] == [seen(one) for one in run(ticks, others)]


@given(moves=steps, cuts=st.lists(st.integers(1, 40)))
def test_every_partition_gets_every_second_and_every_tick_once(moves: list[tuple[int, int]], cuts: list[int]) -> None:
    ticks = ticks_of(moves)
    seconds = sorted({one.exchange_time for one in ticks})
    for partition, frames in enumerate(run(ticks, cuts)):
        times = [one.event_time for one in frames]
        assert times == sorted(times)
        assert sorted(set(times)) == seconds
        assert [one for frame in frames for one in frame.ticks] == [
            one for one in ticks if one.instrument_token % PARTITIONS == partition
        ]
        assert [one.sequence for one in frames] == list(range(1, len(frames) + 1))
        for second in seconds:
            assert not next(one for one in frames if one.event_time == second).ticks


def test_late_tick_keeps_the_clock_and_is_counted() -> None:
    made = framing()
    list(made.add([(tick(sequence=1, at=AT + 5), 1), (tick(sequence=2, at=AT + 3), 1)]))
    assert (made.clock, made.late) == (AT + 5, 1)


def test_marks_are_the_last_of_each_instrument_and_only_once() -> None:
    board = MarkBoard("run", [instrument()])
    board.note([(tick(price=100, sequence=1), 0), (tick(price=200, sequence=2), 0)])
    (marks,) = board.take(AT)
    assert [(one.last_price_units, one.event_time) for one in marks.marks] == [(200, AT)]
    assert list(board.take(AT)) == []


def test_marks_are_split_into_messages_of_bounded_size() -> None:
    board = MarkBoard("run", [])
    board.note([(tick(instrument_token=number), 0) for number in range(MOST_IN_MESSAGE + 1)])
    assert [len(one.marks) for one in board.take(AT)] == [MOST_IN_MESSAGE, 1]
