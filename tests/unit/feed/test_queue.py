"""The hand-over queue: bounded, conflating per instrument, first in first out; lossless when asked."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from agents.feed.queue import TickQueue
from models.messages.ticks import Tick
from tests.factories import tick


def numbered(token: int, sequence: int) -> Tick:
    return tick(instrument_token=token, sequence=sequence)


@given(
    capacity=st.integers(1, 8),
    steps=st.lists(st.one_of(st.integers(1, 4), st.just(0)), max_size=60),
)
def test_oldest_of_the_same_instrument_goes_first(capacity: int, steps: list[int]) -> None:
    """Against a plain list; 0 takes two, other numbers put a tick of that instrument."""
    queue = TickQueue(capacity, lambda: None)
    model: list[Tick] = []
    dropped = 0
    for number, step in enumerate(steps):
        if step == 0:
            assert [one for one, _ in queue.take(2)] == model[:2]
            del model[:2]
            continue
        one = numbered(step, number)
        if len(model) >= capacity:
            same = next((index for index, old in enumerate(model) if old.instrument_token == step), 0)
            del model[same]
            dropped += 1
        model.append(one)
        queue.put([one], number)
    assert [one for one, _ in queue.take(100)] == model
    assert queue.dropped == dropped


def test_arrival_time_stays_with_its_tick() -> None:
    queue = TickQueue(10, lambda: None)
    queue.put([numbered(1, 1), numbered(2, 1)], 7)
    assert [at for _, at in queue.take(10)] == [7, 7]


def test_lossless_queue_blocks_the_sender_until_there_is_room() -> None:
    queue = TickQueue(2, lambda: None, lossless=True)
    ticks = [numbered(1, number) for number in range(100)]
    sender = threading.Thread(target=queue.put, args=(ticks, 0), daemon=True)
    sender.start()
    found: list[Tick] = []
    while len(found) < 100:
        found += [one for one, _ in queue.take(1)]
    sender.join(5)
    assert found == ticks
    assert queue.dropped == 0


def test_closing_lets_a_blocked_sender_go() -> None:
    queue = TickQueue(1, lambda: None, lossless=True)
    sender = threading.Thread(target=queue.put, args=([numbered(1, 1), numbered(1, 2)], 0), daemon=True)
    sender.start()
    queue.close()
    sender.join(5)
    assert not sender.is_alive()
