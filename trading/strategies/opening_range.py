"""Opening-range breakout: go with the first close outside the range of the session's first minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import msgspec
from pydantic import Field, model_validator

from trading.market.ticks_from_bars import Bar
from trading.strategies.base import Wish
from trading.strategies.intraday import IntradayParameters, IntradayStrategy


class OpeningRangeParameters(IntradayParameters):
    """Range in minutes from the open, buffer in hundredths of a percent beyond it, quantity in units."""

    range_minutes: int = Field(15, ge=1, le=120)
    buffer_bps: int = Field(5, ge=0, le=1000)
    quantity: int = Field(10, ge=1)
    allow_short: bool = False

    @model_validator(mode="after")
    def _range_is_whole_bars(self) -> Self:
        if self.range_minutes % self.minutes:
            raise ValueError(f"range_minutes ({self.range_minutes}) must be a multiple of minutes ({self.minutes})")
        return self


class OpeningRangeState(msgspec.Struct, array_like=True, kw_only=True):
    """One session: its range, the side held (1, 0, -1) and which breakouts, up and down, are still to be taken."""

    opens: int = 0
    flat_by: int = 0
    high_units: int = 0
    low_units: int = 0
    side: int = 0
    may_buy: bool = False
    may_sell: bool = False


class OpeningRange(IntradayStrategy):
    """One entry a side and session; out when a bar closes back beyond the range's middle, and before the day's end.

    A session that was not watched from its open has no range and is left alone.
    """

    name: ClassVar[str] = "opening_range"
    summary: ClassVar[str] = "Goes with the breakout from the range of the session's first minutes"
    parameters_type = OpeningRangeParameters
    state_type = OpeningRangeState

    def on_day(self, instrument_token: int, opens: int) -> None:
        """Look for a range, in a session that is watched from its open."""
        watched = self.bars.state.since < opens + self.parameters.minutes * 60
        self.state[instrument_token] = OpeningRangeState(
            opens=opens,
            flat_by=self.flat_by(instrument_token, opens),
            may_buy=watched,
            may_sell=watched and self.parameters.allow_short,
        )

    def on_bar(self, instrument_token: int, bar: Bar) -> Sequence[Wish]:
        """Widen the range, then watch for closes outside it."""
        own: OpeningRangeState = self.own(instrument_token)
        if bar.start < own.opens + self.parameters.range_minutes * 60:
            own.high_units = max(own.high_units, bar.high_units)
            own.low_units = min(own.low_units or bar.low_units, bar.low_units)
            return ()
        if not self.is_current(bar):
            return ()
        if own.side:
            return self._return(instrument_token, own, bar.close_units)
        if not own.high_units or bar.start + self.parameters.minutes * 60 >= own.flat_by:
            return ()
        return self._enter(instrument_token, own, bar.close_units)

    def _enter(self, token: int, own: OpeningRangeState, close: int) -> Sequence[Wish]:
        buffer = self.parameters.buffer_bps
        if own.may_buy and close * 10_000 > own.high_units * (10_000 + buffer):
            own.side, own.may_buy = 1, False
            return self.target(token, self.parameters.quantity, "closed above the opening range")
        if own.may_sell and close * 10_000 < own.low_units * (10_000 - buffer):
            own.side, own.may_sell = -1, False
            return self.target(token, -self.parameters.quantity, "closed below the opening range")
        return ()

    def _return(self, token: int, own: OpeningRangeState, close: int) -> Sequence[Wish]:
        if (2 * close - own.high_units - own.low_units) * own.side >= 0:
            return ()
        own.side = 0
        return self.target(token, 0, "closed back beyond the middle of the range")
