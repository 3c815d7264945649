"""Few messages: gathered ones, quiet periods, and nothing that is lost for good."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agents.notices.quiet import MOST_CHANGES, Batch, Quiet
from faust_app.runtime.notices import Notice, NoticeKind

PERIOD = 100.0


def notice(number: int = 0, state: str = "", subject: str = "a", at: float = 0.0) -> Notice:
    return Notice(kind=NoticeKind.HALTS, subject=subject, title=f"{number}", at=at, state=state)


def test_the_first_passes_and_the_rest_of_a_period_is_told_at_its_end_as_one() -> None:
    quiet = Quiet(PERIOD)
    assert quiet.admit(notice(1), 0) == notice(1)
    for number in (2, 3, 4):
        assert quiet.admit(notice(number), number) is None
    assert list(quiet.due(99)) == []
    (held,) = quiet.due(100)
    assert (held.title, held.lines) == ("4", ("2 more since 01 Jan 05:30:00 IST",))
    assert quiet.admit(notice(5), 101) is None  # what was told at 100 began another period
    assert [one.title for one in quiet.due(200)] == ["5"]


def test_a_single_one_held_back_follows_as_it_is() -> None:
    quiet = Quiet(PERIOD)
    quiet.admit(notice(1), 0)
    quiet.admit(notice(2), 1)
    assert list(quiet.due(100)) == [notice(2)]


def test_another_subject_or_kind_is_not_held_back() -> None:
    quiet = Quiet(PERIOD)
    assert quiet.admit(notice(1), 0)
    assert quiet.admit(notice(2, subject="b"), 1)
    assert quiet.admit(Notice(kind=NoticeKind.FEED, subject="a", title="3", at=0), 1)


def test_a_period_without_more_ends_silently() -> None:
    quiet = Quiet(PERIOD)
    assert quiet.admit(notice(1), 0)
    assert list(quiet.due(100)) == []
    assert quiet.admit(notice(2), 100)


def test_a_change_of_state_passes_at_once() -> None:
    quiet = Quiet(PERIOD)
    assert quiet.admit(notice(1, "halted"), 0)
    assert quiet.admit(notice(2, "halted"), 1) is None
    changed = quiet.admit(notice(3, "active"), 2)
    assert changed is not None
    assert changed.lines == ("1 more since 01 Jan 05:30:00 IST",)
    assert list(quiet.due(100)) == []


def test_a_state_that_keeps_changing_is_told_at_the_end_as_it_is_then() -> None:
    quiet = Quiet(PERIOD)
    passed = [quiet.admit(notice(number, f"{number % 2}"), number) for number in range(51)]
    assert sum(one is not None for one in passed) == 1 + MOST_CHANGES
    (held,) = quiet.due(100)
    assert held.state == "0"


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from("xyz")), max_size=60))
def test_the_last_state_is_always_told_and_never_more_than_a_few_in_a_period(
    steps: Sequence[tuple[int, str]],
) -> None:
    quiet, now, told = Quiet(PERIOD), 0.0, list[tuple[float, str]]()
    for wait, state in steps:
        now += wait
        told += [(now, one.state) for one in quiet.due(now)]
        passed = quiet.admit(notice(state=state, at=now), now)
        told += [] if passed is None else [(now, passed.state)]
    told += [(now, one.state) for one in quiet.due(now + PERIOD)]
    if steps:
        assert told[-1][1] == steps[-1][1]
    for at, _ in told:
        assert sum(at <= other < at + PERIOD for other, _ in told) <= 2 * (2 + MOST_CHANGES)


@given(st.lists(st.integers(0, 40), max_size=40))
def test_a_batch_loses_nothing_and_keeps_its_distance(waits: Sequence[int]) -> None:
    batch, now, taken = Batch[int](10, 50), 0.0, list[list[int]]()
    times = []
    for number, wait in enumerate(waits):
        for _ in range(wait):
            now += 1
            if found := batch.take(now):
                taken.append(found)
                times.append(now)
        batch.add(number, now)
    taken.append(batch.take(now, is_last=True))
    assert [item for part in taken for item in part] == list(range(len(waits)))
    assert all(after - before >= 50 for before, after in pairwise(times))
