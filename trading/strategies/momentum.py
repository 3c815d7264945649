"""Momentum: follow the crossing of a fast and a slow exponential average, tick by tick."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field, model_validator

from trading.indicators.averages import Ema
from trading.strategies.base import Parameters, Wish
from trading.strategies.price_strategy import PriceState, PriceStrategy


class MomentumParameters(Parameters):
    """Windows in ticks, quantity in units, threshold in hundredths of a percent."""

    fast: int = Field(8, ge=2, le=1000)
    slow: int = Field(24, ge=3, le=5000)
    threshold_bps: int = Field(4, ge=0, le=1000)
    quantity: int = Field(10, ge=1)
    allow_short: bool = False

    @model_validator(mode="after")
    def _fast_is_faster(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"fast ({self.fast}) must be below slow ({self.slow})")
        return self


class MomentumState(PriceState, kw_only=True):
    """Averages, and the last direction wished for."""

    fast: Ema
    slow: Ema
    direction: int = 0


class Momentum(PriceStrategy):
    """Long while the fast average is above the slow one, flat (or short) while it is below."""

    name: ClassVar[str] = "momentum"
    summary: ClassVar[str] = "Follows the crossing of two exponential averages of ticks"
    parameters_type = MomentumParameters
    state_type = MomentumState

    def new_state(self) -> MomentumState:
        """Averages that have seen nothing."""
        return MomentumState(fast=Ema(self.parameters.fast), slow=Ema(self.parameters.slow))

    def on_price(self, instrument_token: int, price_units: int, own: MomentumState) -> Sequence[Wish]:
        """Update both averages; wish when they have crossed by more than the threshold."""
        fast, slow = own.fast.update(price_units), own.slow.update(price_units)
        if not own.slow.is_ready:
            return ()
        gap, edge = (fast - slow) * 10_000, slow * self.parameters.threshold_bps
        direction = 1 if gap > edge else -1 if gap < -edge else own.direction
        if direction == own.direction:
            return ()
        own.direction = direction
        if direction > 0:
            return self.target(instrument_token, self.parameters.quantity, "fast average above slow")
        quantity = -self.parameters.quantity if self.parameters.allow_short else 0
        return self.target(instrument_token, quantity, "fast average below slow")
