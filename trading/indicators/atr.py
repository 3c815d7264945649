"""Wilder's average true range."""

from __future__ import annotations

import msgspec


class Atr(msgspec.Struct, array_like=True):
    """Wilder's average of true ranges, begun with the mean of the first `period`. The first bar only gives a close."""

    period: int
    close: float = 0.0
    value: float = 0.0
    seen: int = 0

    @property
    def is_ready(self) -> bool:
        """True from the bar after the `period`-th on."""
        return self.seen > self.period

    def update(self, high: float, low: float, close: float) -> float:
        """The average with one more bar."""
        before, self.close = self.close, float(close)
        if self.seen <= self.period:
            self.seen += 1
            if self.seen == 1:
                return 0.0
        true_range = max(high, before) - min(low, before)
        self.value += (true_range - self.value) / min(self.seen - 1, self.period)
        return self.value
