"""Turns frames into stored minutes.

A minute is complete when every partition's clock has gone beyond it, which the empty frames of each event second see
to, or when every partition is in a later run of the feed. Then its frames are written in the order the feed received
them; until then they are kept as bytes. A run that begins earlier than the last one ended (the sandbox begins a day
anew) gives market time that was recorded before: such ticks are left out, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import NamedTuple

from models.messages.ticks import TickFrame
from recordings.columns import Row, rows_of
from recordings.store import Clocks, Offsets, TickStore
from trading.market.sessions import DAY_SECONDS, IST_SECONDS, trading_day

MINUTE = 60
Place = tuple[str, int]  # a run of the feed and an event second in it
Order = tuple[int, int]


class Received(NamedTuple):
    """One frame as it was read: by its order at the feed."""

    clock: int
    received_ns: int
    partition: int
    offset: int
    ticks: int
    raw: bytes


class TickRecorder:
    """Collects the frames of all partitions. `decode` makes a frame of its bytes.

    Counts ticks written and left out, and of those written the ones whose token `keys` does not have.
    """

    def __init__(
        self, store: TickStore, partitions: int, decode: Callable[[bytes], TickFrame], keys: Mapping[int, str]
    ) -> None:
        self.ticks = self.left_out = self.unnamed = 0
        self._store = store
        self._partitions = partitions
        self._decode = decode
        self._keys = dict(keys)
        self._runs: dict[str, int] = {}  # when each was first heard of, for their order
        self._places: dict[int, Place] = {}  # how far each partition has come
        self._frames: dict[Place, list[Received]] = {}  # by run and minute
        self._next = store.next_offsets()
        self._taken: dict[date, Clocks] = {}
        self._written: dict[date, Clocks] = {}

    @property
    def next_offsets(self) -> Offsets:
        """Where to go on reading, by partition; what was never read is missing."""
        return dict(self._next)

    @property
    def day(self) -> date | None:
        """The day every partition has come to; None before."""
        return trading_day(self._slowest[1]) if len(self._places) == self._partitions else None

    @property
    def _slowest(self) -> Order:
        return min(map(self._order, self._places.values()))

    def _order(self, place: Place) -> Order:
        run_id, clock = place
        return self._runs[run_id], clock

    def add(self, partition: int, offset: int, raw: bytes) -> None:
        """Take one frame in; stores the minutes it completes. Raises the decoder's error for what is no frame."""
        self._next[partition] = offset + 1
        frame = self._decode(raw)
        self._runs[frame.run_id] = min(frame.received_ns, self._runs.get(frame.run_id, frame.received_ns))
        self._places[partition] = frame.run_id, frame.event_time
        if frame.ticks:
            self._take(frame, partition, offset, raw)
        if len(self._places) == self._partitions:
            complete, clock = self._slowest
            self._store_minutes(lambda order: order <= (complete, clock - MINUTE))

    def _take(self, frame: TickFrame, partition: int, offset: int, raw: bytes) -> None:
        clock, day = frame.event_time, trading_day(frame.event_time)
        if day not in self._taken:
            self._written[day] = self._store.clocks(day)
            self._taken[day] = dict(self._written[day])
        if clock < self._taken[day].get(partition, 0):
            self.left_out += len(frame.ticks)
            return
        self._taken[day][partition] = clock
        received = Received(clock, frame.received_ns, partition, offset, len(frame.ticks), raw)
        self._frames.setdefault((frame.run_id, clock // MINUTE * MINUTE), []).append(received)

    def ahead(self, reading: Collection[int]) -> set[int]:
        """Partitions that should wait: a minute or more ahead of the slowest of those that have more to read."""
        places = {one: self._order(place) for one, place in self._places.items()}
        slowest, clock = min((places.get(one, (0, 0)) for one in reading), default=(0, 0))
        return {one for one, place in places.items() if reading and place >= (slowest, clock + MINUTE)}

    def finish(self) -> None:
        """Store what is there, complete or not."""
        self._store_minutes(lambda _: True)

    def _store_minutes(self, is_ready: Callable[[Order], bool]) -> None:
        """Raises BadRecording when a file cannot be written; its frames are still there then."""
        for place in sorted((one for one in self._frames if is_ready(self._order(one))), key=self._order):
            self._write(place, sorted(self._frames[place]))
            del self._frames[place]

    def _write(self, place: Place, frames: list[Received]) -> None:
        minute = place[1]
        day, second = trading_day(minute), (minute + IST_SECONDS) % DAY_SECONDS
        name = f"{second // 3600:02}{second % 3600 // MINUTE:02}"
        clocks = self._written[day] | {one.partition: one.clock for one in frames}
        self._store.write_minute(day, name, self._rows(frames), self._unwritten(place), clocks)
        self._written[day] = clocks
        self.ticks += sum(one.ticks for one in frames)

    def _unwritten(self, place: Place) -> Offsets:
        """The first offset of each partition that is in no file: of a frame of another minute, or the next to read."""
        found = dict(self._next)
        for one in (one for other, frames in self._frames.items() if other != place for one in frames):
            found[one.partition] = min(found[one.partition], one.offset)
        return found

    def _rows(self, frames: Iterable[Received]) -> Iterator[Row]:
        for one in frames:
            frame = self._decode(one.raw)
            self.unnamed += sum(tick.instrument_token not in self._keys for tick in frame.ticks)
            yield from rows_of(frame, one.partition, self._keys)
