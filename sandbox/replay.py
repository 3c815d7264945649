"""A recorded market, played to clients: every tick of a recorded day, each exactly once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from recordings.errors import BadRecording
from recordings.markets import open_market
from sandbox.market import Batch
from trading.market.sessions import session_start


class ReplayMarket:
    """Plays one day of the recording at `path`, by default the first. No tick is lost: a slow client slows it down."""

    waits_for_clients = True

    def __init__(self, path: Path, *, day: date | None, most_symbols: int | None) -> None:
        self._market = open_market(path, most_symbols)
        self.day = self._market.days[0] if day is None else day
        if self.day not in self._market.days:
            first, last = self._market.days[0], self._market.days[-1]
            raise BadRecording(path, 0, f"holds nothing of {self.day}; its days are {first} to {last}")
        self.instruments = self._market.instruments
        first_second, _ = next(self._market.seconds(self.day))
        self.session_start = min(session_start(self.day), first_second)

    def batches(self) -> Iterator[Batch]:
        """One batch a second in which anything happened."""
        for second, ticks in self._market.seconds(self.day):
            yield Batch(float(second), ticks)
