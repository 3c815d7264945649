"""Turns frames into stored minutes.

A minute is complete when every partition's clock has gone beyond it, which the empty frames of each event second see
to. Then its frames are written in the order the feed received them. Frames are kept as bytes until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import NamedTuple

from models.messages.ticks import TickFrame
from recordings.columns import Row, rows_of
from recordings.store import Offsets, TickStore
from trading.market.sessions import DAY_SECONDS, IST_SECONDS, trading_day

MINUTE = 60


class Received(NamedTuple):
    """One frame as it was read: by its order at the feed."""

    clock: int
    received_ns: int
    partition: int
    offset: int
    raw: bytes


class TickRecorder:
    """Collects the frames of all partitions. `decode` makes a frame of its bytes."""

    def __init__(
        self, store: TickStore, partitions: int, decode: Callable[[bytes], TickFrame], keys: Mapping[int, str]
    ) -> None:
        self._store = store
        self._decode = decode
        self._keys = dict(keys)
        self._frames: list[Received] = []
        self._clocks = dict.fromkeys(range(partitions), 0)
        self._next: Offsets = {}
        self.ticks = 0

    def add(self, partition: int, offset: int, raw: bytes) -> None:
        """Take one frame in; stores the minutes it completes. Raises the decoder's error for what is no frame."""
        frame = self._decode(raw)
        self._clocks[partition] = max(self._clocks[partition], frame.event_time)
        self._frames.append(Received(frame.event_time, frame.received_ns, partition, offset, raw))
        complete = min(self._clocks.values()) // MINUTE * MINUTE
        if any(one.clock < complete for one in self._frames[:1]):
            self._store_before(complete)

    def finish(self) -> None:
        """Store what is there, complete or not."""
        self._store_before(max(self._clocks.values()) + MINUTE)

    def _store_before(self, second: int) -> None:
        ready = sorted(one for one in self._frames if one.clock < second)
        self._frames = [one for one in self._frames if one.clock >= second]
        for minute, frames in _by_minute(ready):
            self._write(minute, frames)

    def _write(self, minute: int, frames: list[Received]) -> None:
        for one in frames:
            self._next[one.partition] = max(self._next.get(one.partition, 0), one.offset + 1)
        second = (minute + IST_SECONDS) % DAY_SECONDS
        name = f"{second // 3600:02}{second % 3600 // MINUTE:02}"
        self._store.write_minute(trading_day(minute), name, self._rows(frames), dict(self._next))

    def _rows(self, frames: Iterable[Received]) -> Iterator[Row]:
        for one in frames:
            for row in rows_of(self._decode(one.raw), one.partition, self._keys):
                self.ticks += 1
                yield row


def _by_minute(frames: Iterable[Received]) -> Iterator[tuple[int, list[Received]]]:
    found: dict[int, list[Received]] = {}
    for one in frames:
        found.setdefault(one.clock // MINUTE * MINUTE, []).append(one)
    yield from found.items()


def finished_days(store: TickStore, before: date) -> list[date]:
    """Recorded days before one that are still in minutes."""
    return [day for day in store.days() if day < before and (store.folder / str(day)).is_dir()]
