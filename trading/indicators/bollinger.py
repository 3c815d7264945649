"""Bollinger bands: a simple average and a multiple of the standard deviation either side."""

from __future__ import annotations

from math import sqrt

import msgspec


class _Sums(msgspec.Struct, array_like=True):
    """Sums of distances from `origin`, a value near the window's, so that squares keep their digits."""

    origin: float
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float, sign: int = 1) -> None:
        distance = value - self.origin
        self.total += sign * distance
        self.squares += sign * distance * distance


class Bollinger(msgspec.Struct, array_like=True):
    """Bands of `width` population standard deviations round the mean of the last `period` values.

    As in `Sma`, sums are built afresh in every round through the window.
    """

    period: int
    width: float = 2.0
    window: list[float] = []
    at: int = 0
    sums: _Sums = msgspec.field(default_factory=lambda: _Sums(0.0))
    fresh: _Sums = msgspec.field(default_factory=lambda: _Sums(0.0))
    middle: float = 0.0
    deviation: float = 0.0

    @property
    def is_ready(self) -> bool:
        """True from the `period`-th value on."""
        return len(self.window) == self.period

    @property
    def upper(self) -> float:
        """The upper band."""
        return self.middle + self.width * self.deviation

    @property
    def lower(self) -> float:
        """The lower band."""
        return self.middle - self.width * self.deviation

    def update(self, value: float) -> float:
        """The middle band with one more value."""
        value = float(value)
        if not self.window:
            self.sums = _Sums(value)
        if len(self.window) < self.period:
            self.window.append(value)
        else:
            self.sums.add(self.window[self.at], -1)
            self.window[self.at] = value
        self.sums.add(value)
        if self.at == 0:
            self.fresh = _Sums(value)
        self.fresh.add(value)
        self.at += 1
        if self.at == self.period:
            self.at, self.sums = 0, self.fresh
        return self._measure(len(self.window))

    def _measure(self, count: int) -> float:
        mean = self.sums.total / count
        self.middle = self.sums.origin + mean
        self.deviation = sqrt(max(0.0, self.sums.squares / count - mean * mean))
        return self.middle
