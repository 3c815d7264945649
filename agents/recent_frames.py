"""The latest frames of one partition as bytes: the ticks an order that arrives late has missed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from faust_app.runtime.codec import decode_frame
from models.messages.ticks import Tick

MOST_BYTES = 6_000_000


class RecentFrames:
    """Frames in order, the oldest forgotten beyond `MOST_BYTES`; decoded only when somebody asks."""

    def __init__(self) -> None:
        self._frames: deque[tuple[str, int, bytes]] = deque()
        self._bytes = 0

    def add(self, run_id: str, event_time: int, raw: bytes) -> None:
        """Keep a frame that holds ticks."""
        self._frames.append((run_id, event_time, raw))
        self._bytes += len(raw)
        while self._bytes > MOST_BYTES:
            self._bytes -= len(self._frames.popleft()[2])

    def ticks(self, run_id: str, token: int, since: int) -> Iterator[Tick]:
        """An instrument's ticks of one run seen at or after clock `since`, in order."""
        found = []
        for run, event_time, raw in reversed(self._frames):
            if run != run_id or event_time < since:
                break
            found.append(raw)
        for raw in reversed(found):
            yield from (tick for tick in decode_frame(raw).ticks if tick.instrument_token == token)
