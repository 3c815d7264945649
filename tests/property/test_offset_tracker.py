"""The offset tracker against a naive model: a log with holes, any order of handling, rebalances at any moment."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from faust_app.runtime.offsets import OffsetTracker

TPS = ("a", "b")
LOG_END = 40
pick = st.integers(0, 1000)
partitions = st.sampled_from(TPS)


class Message:
    """Compared by identity, like Faust's."""

    def __init__(self, offset: int) -> None:
        self.offset = offset


@dataclass
class Partition:
    """The truth about one partition, kept the slow way."""

    log: list[int]
    begin: int = 0
    group: int | None = None  # what Kafka has as the group's position
    reached: int | None = None  # where the next record comes from; None before the first seek
    waiting: list[Message] = field(default_factory=list)  # handed out since the last seek, not handled
    stale: list[Message] = field(default_factory=list)  # copies from before a seek
    handled: set[int] = field(default_factory=set)

    def rewind(self) -> None:
        """Every copy in a handler's hands is void; the log is read again from the group's position."""
        self.stale += self.waiting
        self.waiting = []
        self.reached = self.begin if self.group is None else self.group

    def to_commit(self) -> int | None:
        """The first record in hand that is not handled, else the end of what was handed out."""
        if self.reached is None:
            return None
        return min([self.reached, *(message.offset for message in self.waiting)])


class TrackedConsumer(RuleBasedStateMachine):
    """A consumer that does everything a rebalancing one does, in any order."""

    @initialize(holes=st.sets(st.integers(0, LOG_END), max_size=15), begin=st.integers(0, 5))
    def start(self, holes: set[int], begin: int) -> None:
        self.tracker = OffsetTracker()
        offsets = [offset for offset in range(begin, LOG_END) if offset not in holes]
        self.model = {tp: Partition(list(offsets), begin) for tp in TPS}

    @rule(tp=partitions)
    def rebalance(self, tp: str) -> None:
        self.model[tp].rewind()
        self.tracker.seek(tp, self.model[tp].group)

    @rule()
    def revoke_all(self) -> None:
        self.tracker.clear()
        for partition in self.model.values():
            partition.rewind()
            partition.reached = None

    @rule(tp=partitions, most=st.integers(1, 6), whole=st.booleans())
    def fetch(self, tp: str, most: int, whole: bool) -> None:
        """Hand out what follows; unless `whole`, the batch is cut off before its end is noted."""
        partition = self.model[tp]
        if partition.reached is None:
            return
        assert self.tracker.accepts(tp, partition.reached)
        batch = [offset for offset in partition.log if offset >= partition.reached][:most]
        for offset in batch:
            message = Message(offset)
            self.tracker.handed_out(tp, offset, message)
            partition.waiting.append(message)
            partition.reached = offset + 1
        if batch and whole:
            partition.reached = min([one for one in partition.log if one > batch[-1]], default=LOG_END)
            self.tracker.finish_batch(tp, partition.reached)

    @rule(tp=partitions, off_by=st.integers(-5, 5).filter(bool))
    def refuse_misfit(self, tp: str, off_by: int) -> None:
        """A fetch from anywhere else is refused once a position is known."""
        expected = self.tracker.expected(tp)
        if expected is not None:
            assert not self.tracker.accepts(tp, expected + off_by)
            assert not self.tracker.accepts(tp, None)

    @precondition(lambda self: any(one.waiting for one in self.model.values()))
    @rule(tp=partitions, which=pick)
    def handle(self, tp: str, which: int) -> None:
        waiting = self.model[tp].waiting
        if not waiting:
            return
        message = waiting.pop(which % len(waiting))
        assert self.tracker.handled(tp, message.offset, message)
        assert not self.tracker.handled(tp, message.offset, message), "handled counts once"
        self.model[tp].handled.add(message.offset)

    @precondition(lambda self: any(one.stale for one in self.model.values()))
    @rule(tp=partitions, which=pick)
    def handle_stale_copy(self, tp: str, which: int) -> None:
        """A handler that finishes after the rebalance: its effects are real, but the new delivery is what counts."""
        stale = self.model[tp].stale
        if stale:
            message = stale.pop(which % len(stale))
            assert not self.tracker.handled(tp, message.offset, message)

    @rule(tp=partitions, reaches_kafka=st.booleans())
    def commit(self, tp: str, reaches_kafka: bool) -> None:
        offset = self.tracker.committable(tp)
        if offset is not None and reaches_kafka:
            self.model[tp].group = offset
            self.tracker.committed(tp, offset)
            assert self.tracker.committed_offset(tp) == offset
            assert self.tracker.committable(tp) is None, "nothing more to commit right after a commit"

    @invariant()
    def nothing_is_committed_unhandled(self) -> None:
        for tp, partition in getattr(self, "model", {}).items():
            offset = self.tracker.committable(tp)
            bound = max(filter(None, (offset, partition.group)), default=0)
            unhandled = {one for one in partition.log if one < bound} - partition.handled
            assert not unhandled, f"{tp} would be at {bound} with {unhandled} unhandled"

    @invariant()
    def progress_is_offered(self) -> None:
        for tp, partition in getattr(self, "model", {}).items():
            expected = partition.to_commit()
            offset = self.tracker.committable(tp)
            if expected is None or expected == partition.group:
                assert offset is None
            elif partition.group is not None or expected > partition.begin:
                assert offset == expected

    @invariant()
    def position_is_known(self) -> None:
        for tp, partition in getattr(self, "model", {}).items():
            if self.tracker.expected(tp) is not None:
                assert self.tracker.expected(tp) == partition.reached


TestOffsetTracker = TrackedConsumer.TestCase
TestOffsetTracker.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
