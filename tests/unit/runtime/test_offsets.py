"""The offset tracker's rules one by one; `property/test_offset_tracker.py` mixes them."""

from __future__ import annotations

from faust_app.runtime.offsets import OffsetTracker

TP = ("topic", 0)


def tracker_at(offset: int | None) -> OffsetTracker:
    tracker = OffsetTracker()
    tracker.seek(TP, offset)
    return tracker


def hand_out(tracker: OffsetTracker, *offsets: int) -> list[object]:
    messages = [object() for _ in offsets]
    for offset, message in zip(offsets, messages, strict=True):
        tracker.handed_out(TP, offset, message)
    return messages


def test_one_unhandled_record_at_the_head_holds_everything_back() -> None:
    tracker = tracker_at(5)
    _, second, third = hand_out(tracker, 5, 6, 7)
    tracker.handled(TP, 6, second)
    tracker.handled(TP, 7, third)
    assert tracker.committable(TP) is None


def test_offset_one_past_the_group_position_is_not_jumped_over() -> None:
    """Faust commits over exactly this hole."""
    tracker = tracker_at(0)
    _, second = hand_out(tracker, 0, 1)
    tracker.handled(TP, 1, second)
    assert tracker.committable(TP) is None


def test_commit_goes_up_to_the_first_record_in_hand() -> None:
    tracker = tracker_at(5)
    first, _, third = hand_out(tracker, 5, 6, 7)
    tracker.handled(TP, 5, first)
    tracker.handled(TP, 7, third)
    assert tracker.committable(TP) == 6


def test_commit_covers_the_holes_at_a_batch_end() -> None:
    tracker = tracker_at(5)
    (only,) = hand_out(tracker, 5)
    tracker.finish_batch(TP, 9)
    assert tracker.committable(TP) is None
    tracker.handled(TP, 5, only)
    assert tracker.committable(TP) == 9


def test_nothing_is_offered_twice() -> None:
    tracker = tracker_at(5)
    (only,) = hand_out(tracker, 5)
    tracker.handled(TP, 5, only)
    tracker.committed(TP, 6)
    assert tracker.committable(TP) is None
    assert tracker.committed_offset(TP) == 6


def test_failed_commit_is_offered_again() -> None:
    tracker = tracker_at(5)
    (only,) = hand_out(tracker, 5)
    tracker.handled(TP, 5, only)
    assert [tracker.committable(TP) for _ in range(3)] == [6, 6, 6]


def test_position_zero_is_a_position() -> None:
    assert not tracker_at(0).accepts(TP, 1)
    assert tracker_at(0).accepts(TP, 0)


def test_unknown_position_accepts_any_start() -> None:
    assert tracker_at(None).accepts(TP, 17)
    assert OffsetTracker().accepts(TP, 17)
    assert OffsetTracker().expected(TP) is None


def test_copy_from_before_a_seek_does_not_count() -> None:
    tracker = tracker_at(5)
    (stale,) = hand_out(tracker, 5)
    tracker.seek(TP, 5)
    (again,) = hand_out(tracker, 5)
    assert not tracker.handled(TP, 5, stale)
    assert tracker.committable(TP) is None
    assert tracker.handled(TP, 5, again)
    assert tracker.committable(TP) == 6


def test_partition_nobody_knows_has_nothing_to_commit() -> None:
    tracker = OffsetTracker()
    tracker.committed(TP, 7)
    assert tracker.committable(TP) is None
    assert tracker.committed_offset(TP) is None
    assert not tracker.handled(TP, 1, object())
    assert tracker.partitions() == []


def test_clear_forgets_every_partition() -> None:
    tracker = tracker_at(5)
    (message,) = hand_out(tracker, 5)
    tracker.clear()
    assert tracker.partitions() == []
    assert not tracker.handled(TP, 5, message)
