"""Ticks become frames, one stream per partition, cut so that every tick of a frame was seen at the same clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from models.messages.ticks import FRAME_VERSION, Tick, TickFrame

Numbered = tuple[int, TickFrame]  # a partition and its frame
SHARED = "shared"


class Framing:
    """The feed's clock and its frames.

    The clock is the highest exchange time seen. When it moves, what was seen before is framed with the old time,
    and every partition gets an empty frame with the new one before any tick of it: that moves time everywhere.
    So which ticks a partition gets, in which order and at which clock, does not depend on how they were batched.
    """

    def __init__(self, run_id: str, partitions: int, partition_of: Callable[[int], int], new_id: Callable[[], str]):
        self._run_id = run_id
        self._partition_of = partition_of
        self._new_id = new_id
        self._sequences = [0] * partitions
        self._waiting: list[list[Tick]] = [[] for _ in range(partitions)]
        self._received_ns = 0
        self.clock = 0
        self.late = 0

    def add(self, entries: Iterable[tuple[Tick, int]]) -> Iterator[Numbered]:
        """Take ticks with their arrival; yields the frames that are complete because the clock moved."""
        for tick, received_ns in entries:
            if tick.exchange_time > self.clock:
                yield from self.flush()
                self.clock = tick.exchange_time
                yield from self._empty_frames(received_ns)
            elif tick.exchange_time and tick.exchange_time < self.clock:
                self.late += 1
            self._received_ns = self._received_ns or received_ns
            self._waiting[self._partition_of(tick.instrument_token)].append(tick)

    def flush(self) -> Iterator[Numbered]:
        """Frames of everything that waits. Their arrival is that of the oldest tick."""
        received_ns, self._received_ns = self._received_ns, 0
        for partition, ticks in enumerate(self._waiting):
            if ticks:
                self._waiting[partition] = []
                yield partition, self._frame(partition, received_ns, tuple(ticks))

    def _empty_frames(self, received_ns: int) -> Iterator[Numbered]:
        for partition in range(len(self._waiting)):
            yield partition, self._frame(partition, received_ns, ())

    def _frame(self, partition: int, received_ns: int, ticks: tuple[Tick, ...]) -> TickFrame:
        self._sequences[partition] += 1
        return TickFrame(
            version=FRAME_VERSION,
            id=self._new_id(),
            run_id=self._run_id,
            sequence=self._sequences[partition],
            event_time=self.clock,
            received_ns=received_ns,
            broker=SHARED,
            ticks=ticks,
        )
