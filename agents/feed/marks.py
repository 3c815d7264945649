"""Last prices, conflated: what changed since the last time somebody asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from models.messages.market import Mark, Marks
from models.messages.ticks import Tick
from trading.market.instruments import Instrument
from trading.market.sessions import Phase, phase_at

MOST_IN_MESSAGE = 2_000
UNKNOWN_SEGMENT = "NSE"


class MarkBoard:
    """Remembers the last tick of each instrument that changed."""

    def __init__(self, run_id: str, instruments: Iterable[Instrument]) -> None:
        self._run_id = run_id
        self._segments = {one.instrument_token: one.segment for one in instruments}
        self._changed: dict[int, Tick] = {}

    def note(self, entries: Sequence[tuple[Tick, int]]) -> None:
        """Take over ticks in order."""
        for tick, _ in entries:
            self._changed[tick.instrument_token] = tick

    def take(self, clock: int) -> Iterator[Marks]:
        """Messages with the marks that changed, at most 2,000 each; nothing when nothing changed."""
        ticks, self._changed = list(self._changed.values()), {}
        phases: dict[str, Phase] = {}
        for start in range(0, len(ticks), MOST_IN_MESSAGE):
            part = ticks[start : start + MOST_IN_MESSAGE]
            yield Marks(run_id=self._run_id, clock=clock, marks=tuple(self._mark(one, clock, phases) for one in part))

    def _mark(self, tick: Tick, clock: int, phases: dict[str, Phase]) -> Mark:
        segment = self._segments.get(tick.instrument_token, UNKNOWN_SEGMENT)
        if segment not in phases:
            phases[segment] = phase_at(segment, clock)
        return Mark(tick.instrument_token, tick.last_price_units, tick.exchange_time or clock, phases[segment].value)
