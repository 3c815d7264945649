"""Moving averages."""

from __future__ import annotations

import msgspec


class Ema(msgspec.Struct, array_like=True):
    """Exponential moving average, begun with the mean of the first `period` values."""

    period: int
    value: float = 0.0
    seen: int = 0

    @property
    def is_ready(self) -> bool:
        """True from the `period`-th value on."""
        return self.seen == self.period

    def update(self, value: float) -> float:
        """The average with one more value."""
        if self.seen == self.period:
            self.value += 2 * (value - self.value) / (self.period + 1)
        else:
            self.seen += 1
            self.value += (value - self.value) / self.seen
        return self.value


class Sma(msgspec.Struct, array_like=True):
    """Simple moving average of the last `period` values.

    A second sum is built afresh in every round through the window and replaces the first, so rounding never piles up.
    """

    period: int
    window: list[float] = []
    at: int = 0
    total: float = 0.0
    fresh: float = 0.0

    @property
    def is_ready(self) -> bool:
        """True from the `period`-th value on."""
        return len(self.window) == self.period

    @property
    def value(self) -> float:
        """The mean of the window."""
        return self.total / len(self.window) if self.window else 0.0

    def update(self, value: float) -> float:
        """The average with one more value."""
        value = float(value)
        if len(self.window) < self.period:
            self.window.append(value)
            self.total += value
        else:
            self.total += value - self.window[self.at]
            self.window[self.at] = value
        self.fresh += value
        self.at += 1
        if self.at == self.period:
            self.at, self.total, self.fresh = 0, self.fresh, 0.0
        return self.total / len(self.window)
