"""The bounded hand-over from the socket's thread to the event loop."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from models.messages.ticks import Tick

Entry = tuple[Tick, int]  # a tick and the wall clock of its arrival, in nanoseconds


class TickQueue:
    """First in, first out. At capacity the oldest tick of the same instrument goes, else the oldest of all.

    With `lossless` nothing goes: `put` blocks the calling thread until there is room, so that the sender feels
    the pressure through its socket. All operations are O(1) per tick.
    """

    def __init__(self, capacity: int, wake: Callable[[], None], *, lossless: bool = False) -> None:
        self._capacity = capacity
        self._wake = wake
        self._lossless = lossless
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._of_instrument: dict[int, deque[int]] = {}
        self._number = 0
        self._changed = threading.Condition()
        self._is_closed = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, ticks: Sequence[Tick], received_ns: int) -> None:
        """Add ticks. Called in the socket's thread."""
        with self._changed:
            for tick in ticks:
                if len(self._entries) >= self._capacity:
                    self._make_room(tick.instrument_token)
                self._append(tick, received_ns)
        self._wake()

    def _append(self, tick: Tick, received_ns: int) -> None:
        self._number += 1
        self._entries[self._number] = (tick, received_ns)
        own = self._of_instrument.get(tick.instrument_token)
        if own is None:
            own = self._of_instrument[tick.instrument_token] = deque()
        own.append(self._number)

    def _make_room(self, token: int) -> None:
        if self._lossless:
            self._wake()
            self._changed.wait_for(lambda: len(self._entries) < self._capacity or self._is_closed)
            return
        own = self._of_instrument.get(token)
        if own:
            del self._entries[own.popleft()]
        else:
            _, (tick, _) = self._entries.popitem(last=False)
            self._of_instrument[tick.instrument_token].popleft()
        self.dropped += 1

    def take(self, most: int) -> list[Entry]:
        """Remove up to `most` entries, oldest first. Called in the event loop."""
        with self._changed:
            count = min(most, len(self._entries))
            taken = [self._entries.popitem(last=False)[1] for _ in range(count)]
            for tick, _ in taken:
                self._of_instrument[tick.instrument_token].popleft()
            self._changed.notify_all()
        return taken

    def close(self) -> None:
        """Let a blocked `put` go on; what it holds is still queued."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
