"""Volume-weighted average price of a session."""

from __future__ import annotations

import msgspec


class Vwap(msgspec.Struct, array_like=True):
    """Mean of the bars' typical prices (high, low, close), weighted by volume; begins again with each session."""

    session: int = -1
    turnover: float = 0.0
    volume: float = 0.0

    @property
    def is_ready(self) -> bool:
        """True when the session has traded."""
        return self.volume > 0

    @property
    def value(self) -> float:
        """The average."""
        return self.turnover / self.volume if self.volume else 0.0

    def update(self, session: int, high: float, low: float, close: float, volume: float) -> float:
        """The average with one more bar; `session` is any number that differs from one session to the next."""
        if session != self.session:
            self.session, self.turnover, self.volume = session, 0.0, 0.0
        self.turnover += (high + low + close) / 3 * volume
        self.volume += volume
        return self.value
