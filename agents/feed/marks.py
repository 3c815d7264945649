"""Last prices, conflated: what changed since the last time somebody asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from models.messages.market import Mark, Marks
from models.messages.ticks import Tick
from trading.market.instruments import Instrument
from trading.market.sessions import phase

MOST_IN_MESSAGE = 2_000


class MarkBoard:
    """Remembers the last tick of each instrument that changed."""

    def __init__(self, run_id: str, instruments: Iterable[Instrument]) -> None:
        self._run_id = run_id
        self._instruments = {one.instrument_token: one for one in instruments}
        self._changed: dict[int, Tick] = {}

    def note(self, entries: Sequence[tuple[Tick, int]]) -> None:
        """Take over ticks in order."""
        for tick, _ in entries:
            self._changed[tick.instrument_token] = tick

    def take(self, clock: int) -> Iterator[Marks]:
        """Messages with the marks that changed, at most 2,000 each; nothing when nothing changed."""
        ticks, self._changed = list(self._changed.values()), {}
        for start in range(0, len(ticks), MOST_IN_MESSAGE):
            part = ticks[start : start + MOST_IN_MESSAGE]
            yield Marks(run_id=self._run_id, clock=clock, marks=tuple(self._mark(one, clock) for one in part))

    def _mark(self, tick: Tick, clock: int) -> Mark:
        now = phase(self._instruments.get(tick.instrument_token), clock)
        return Mark(tick.instrument_token, tick.last_price_units, tick.exchange_time or clock, now.value)
