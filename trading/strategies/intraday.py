"""Strategies that want to be flat before the day's end: by the clock, for ticks and bars may not come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from trading.market.sessions import square_off, trading_day
from trading.strategies.bar_strategy import BarParameters, BarStrategy
from trading.strategies.base import Wish


class IntradayParameters(BarParameters):
    """Adds when to be flat: minutes before the broker squares intraday positions off (`config/calendar`)."""

    minutes_before_square_off: int = Field(5, ge=0, le=120)


class IntradayStrategy(BarStrategy):
    """Base: positions are left in time. States have `side`, 0 when flat, and `flat_by`, an epoch second."""

    def flat_by(self, instrument_token: int, at: int) -> int:
        """The second by which an instrument must be flat on the day of `at`; 0 on a day without trading."""
        second = square_off(self.instruments.get(instrument_token), trading_day(at))
        return 0 if second is None else second - self.parameters.minutes_before_square_off * 60

    def leave(self, instrument_token: int, own: Any, clock: int) -> Sequence[Wish]:
        """Be flat: the time has come."""
        own.side = 0
        return self.target(instrument_token, 0, "the day ends")

    def on_clock(self, clock: int) -> Sequence[Wish]:
        """Leave what must be left while the market is open; then answer the bars that the clock closes."""
        wishes: list[Wish] = []
        for token, own in self.state.items():
            if own.side and clock >= own.flat_by and self._trades(token, clock):
                wishes += self.leave(token, own, clock)
        return [*wishes, *super().on_clock(clock)]

    def _trades(self, instrument_token: int, clock: int) -> bool:
        return any(first <= clock < end for first, end in self.hours(instrument_token, clock))
