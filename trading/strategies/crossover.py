"""Crossover: follow the crossing of a fast and a slow simple average of bars' closes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import msgspec
from pydantic import Field, model_validator

from trading.indicators.averages import Sma
from trading.market.ticks_from_bars import Bar
from trading.strategies.bar_strategy import BarParameters, BarStrategy
from trading.strategies.base import Wish


class CrossoverParameters(BarParameters):
    """Windows in bars, quantity in units."""

    fast: int = Field(5, ge=1, le=1000)
    slow: int = Field(20, ge=2, le=5000)
    quantity: int = Field(10, ge=1)
    allow_short: bool = False

    @model_validator(mode="after")
    def _fast_is_faster(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"fast ({self.fast}) must be below slow ({self.slow})")
        return self


class CrossoverState(msgspec.Struct, array_like=True, kw_only=True):
    """Averages, and the quantity last wished for today."""

    fast: Sma
    slow: Sma
    held: int = 0


class Crossover(BarStrategy):
    """Long while the fast average is above the slow one, flat (or short) while it is below; each day begins flat."""

    name: ClassVar[str] = "crossover"
    summary: ClassVar[str] = "Follows the crossing of two simple averages of bars"
    parameters_type = CrossoverParameters
    state_type = CrossoverState

    def new_state(self) -> CrossoverState:
        """Averages that have seen nothing."""
        return CrossoverState(fast=Sma(self.parameters.fast), slow=Sma(self.parameters.slow))

    def on_day(self, instrument_token: int, opens: int) -> None:
        """Nothing is held."""
        self.own(instrument_token).held = 0

    def on_bar(self, instrument_token: int, bar: Bar) -> Sequence[Wish]:
        """Update both averages; wish when the side they are on is not the one held."""
        own: CrossoverState = self.own(instrument_token)
        fast, slow = own.fast.update(bar.close_units), own.slow.update(bar.close_units)
        if not own.slow.is_ready or fast == slow:
            return ()
        below = -self.parameters.quantity if self.parameters.allow_short else 0
        wanted = self.parameters.quantity if fast > slow else below
        if wanted == own.held:
            return ()
        own.held = wanted
        return self.target(instrument_token, wanted, f"fast average {'above' if fast > slow else 'below'} slow")
