"""The exchange's own clock: the player's time, plus what an operator has added, and what is to happen later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from heapq import heappop, heappush
from itertools import count

from trading.market.sessions import IST

FORMAT = "%Y-%m-%d %H:%M:%S"
TOKENS_END = time(6)  # IST; Kite documents 06:00 of the next day


class Clock:
    """Moves when a batch is played or an operator advances it, never by itself. Alarms ring in the order of time."""

    def __init__(self, at: float) -> None:
        self._played = at
        self._added = 0.0
        self._ringing: float | None = None
        self._alarms: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    @property
    def now(self) -> float:
        """Epoch seconds; while an alarm rings, the moment it was set for."""
        return self._reached if self._ringing is None else self._ringing

    @property
    def _reached(self) -> float:
        return self._played + self._added

    def play(self, at: float) -> None:
        """The market has reached `at`."""
        self._played = max(self._played, at)
        self.ring()

    def advance(self, seconds: float) -> None:
        """Move on without the market."""
        self._added += seconds
        self.ring()

    def after(self, seconds: float, work: Callable[[], None]) -> None:
        """Call `work` once `seconds` have passed; at once when there is nothing to wait for."""
        self.at(self.now + seconds, work)

    def at(self, moment: float, work: Callable[[], None]) -> None:
        """Call `work` at a moment, at once when it has passed."""
        if moment <= self.now:
            work()
        else:
            heappush(self._alarms, (moment, next(self._numbers), work))

    def ring(self) -> None:
        """Do what is due."""
        while self._alarms and self._alarms[0][0] <= self._reached:
            self._ringing, _, work = heappop(self._alarms)
            try:
                work()
            finally:
                self._ringing = None

    @property
    def day(self) -> date:
        """The IST date."""
        return ist(self.now).date()

    @property
    def stamp(self) -> str:
        """Now, as Kite writes times."""
        return stamp(self.now)


def ist(at: float) -> datetime:
    """Epoch seconds as aware IST."""
    return datetime.fromtimestamp(at, UTC).astimezone(IST)


def stamp(at: float) -> str:
    """Epoch seconds as naive IST text."""
    return ist(at).strftime(FORMAT)


def next_token_end(at: float) -> float:
    """The first 06:00 IST after a moment."""
    now = ist(at)
    end = datetime.combine(now.date(), TOKENS_END, IST)
    return (end if end > now else end + timedelta(days=1)).timestamp()
