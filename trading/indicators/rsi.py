"""Wilder's relative strength index."""

from __future__ import annotations

import msgspec

FLAT = 50.0


class Rsi(msgspec.Struct, array_like=True):
    """0 to 100 from Wilder's averages of gains and losses, begun with the means of the first `period` changes.

    A market that has not moved is at `FLAT`, neither oversold nor overbought (TA-Lib says 0).
    """

    period: int
    last: float = 0.0
    gain: float = 0.0
    loss: float = 0.0
    seen: int = 0

    @property
    def is_ready(self) -> bool:
        """True from the `period`-th change, the value after it, on."""
        return self.seen > self.period

    @property
    def value(self) -> float:
        """The index."""
        total = self.gain + self.loss
        return 100 * self.gain / total if total else FLAT

    def update(self, value: float) -> float:
        """The index with one more value."""
        change = value - self.last
        self.last = float(value)
        if self.seen <= self.period:
            self.seen += 1
            if self.seen == 1:
                return FLAT
        changes = min(self.seen - 1, self.period)
        self.gain += ((change if change > 0 else 0.0) - self.gain) / changes
        self.loss += ((-change if change < 0 else 0.0) - self.loss) / changes
        return self.value
