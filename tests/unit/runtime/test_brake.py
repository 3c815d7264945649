"""The brake: so many dead letters in a row, or in a minute, are not the messages' fault."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from faust_app.runtime.brake import Brake


def test_consecutive_limit_is_passed_on_the_one_after_it() -> None:
    brake = Brake(consecutive=3, per_minute=1000)
    assert [brake.tripped_by(0, float(second * 61)) for second in range(4)] == [False, False, False, True]


def test_good_message_starts_the_row_again() -> None:
    brake = Brake(consecutive=1, per_minute=1000)
    for second in range(0, 6100, 61):
        assert not brake.tripped_by(0, float(second))
        brake.passed(0)


def test_good_messages_do_not_excuse_too_many_in_a_minute() -> None:
    brake = Brake(consecutive=1000, per_minute=3)
    tripped = []
    for second in range(4):
        tripped.append(brake.tripped_by(0, float(second)))
        brake.passed(0)
    assert tripped == [False, False, False, True]


def test_minute_slides() -> None:
    brake = Brake(consecutive=1000, per_minute=2)
    assert not brake.tripped_by(0, 0.0)
    assert not brake.tripped_by(0, 30.0)
    assert brake.tripped_by(0, 60.0), "60 s later the first one still counts"
    assert not brake.tripped_by(0, 91.0), "the ones of seconds 0 and 30 are forgotten"


def test_partitions_are_counted_apart() -> None:
    brake = Brake(consecutive=1, per_minute=1000)
    assert not brake.tripped_by(0, 0.0)
    assert not brake.tripped_by(1, 0.0)
    brake.passed(1)
    assert brake.tripped_by(0, 0.0), "what passes on another partition does not help this one"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.booleans(), st.integers(0, 30)), max_size=60))
def test_brake_agrees_with_counting_by_hand(steps: list[tuple[int, bool, int]]) -> None:
    brake, now = Brake(consecutive=3, per_minute=5), 0
    history: list[tuple[int, bool, int]] = []
    for partition, is_dead, later in steps:
        now += later
        history.append((partition, is_dead, now))
        if not is_dead:
            brake.passed(partition)
            continue
        mine = [(dead, at) for one, dead, at in history if one == partition]
        row = next((number for number, (dead, _) in enumerate(reversed(mine)) if not dead), len(mine))
        recent = sum(dead and now - at <= 60 for dead, at in mine)
        assert brake.tripped_by(partition, float(now)) == (row > 3 or recent > 5)
