"""Frames without ticks: a socket that lives and says nothing, which no connection notices."""

from __future__ import annotations

from collections.abc import Iterable

from trading.market.instruments import Instrument
from trading.market.sessions import is_open


class TickSilence:
    """Says when ticks have stopped although the market is open. `now` is of any clock that only goes forward.

    What time it is at the exchange is what the last tick said, and what has passed since; before the first tick, the
    wall clock.
    """

    def __init__(self, instruments: Iterable[Instrument], seconds: float, now: float) -> None:
        self._markets = list({(one.segment, one.has_derivatives): one for one in instruments}.values())
        self._seconds = seconds
        self._last = now
        self._at = 0

    def note(self, exchange_time: int, now: float) -> None:
        """Ticks have come; the feed's clock stands at `exchange_time`."""
        self._last, self._at = now, exchange_time

    def reason(self, now: float, wall: float) -> str:
        """What is wrong; empty while ticks come, and while no market is open."""
        silent = now - self._last
        if silent <= self._seconds:
            return ""
        at = int(self._at + silent if self._at else wall)
        if not any(is_open(one, at) for one in self._markets):
            return ""
        return f"No tick for {silent:.0f} s while the market is open"
