"""Momentum: follow the crossing of a fast and a slow exponential average."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import msgspec
from pydantic import Field, model_validator

from models.messages.ticks import Tick
from trading.strategies.base import Parameters, Strategy, Wish

SCALE = 1 << 16  # averages are kept in fixed point, so that a restored state is the very same number


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


class MomentumState(msgspec.Struct, array_like=True):
    """Averages in fixed point, ticks seen, and the last direction wished for."""

    fast: int
    slow: int
    seen: int = 1
    direction: int = 0


class Momentum(Strategy):
    """Long while the fast average is above the slow one, flat (or short) while it is below."""

    name: ClassVar[str] = "momentum"
    summary: ClassVar[str] = "Follows the crossing of two exponential averages"
    parameters_type = MomentumParameters
    state_type = MomentumState

    def on_tick(self, tick: Tick, clock: int) -> Sequence[Wish]:
        """Update both averages; wish when they have crossed by more than the threshold."""
        own = self.state.get(tick.instrument_token)
        price = tick.last_price_units * SCALE
        if own is None:
            self.state[tick.instrument_token] = MomentumState(price, price)
            return ()
        parameters = self.parameters
        own.fast += 2 * (price - own.fast) // (parameters.fast + 1)
        own.slow += 2 * (price - own.slow) // (parameters.slow + 1)
        own.seen += 1
        if own.seen < parameters.slow:
            return ()
        gap = (own.fast - own.slow) * 10_000
        edge = own.slow * parameters.threshold_bps
        direction = 1 if gap > edge else -1 if gap < -edge else own.direction
        if direction == own.direction:
            return ()
        own.direction = direction
        return self._wish(tick, direction)

    def _wish(self, tick: Tick, direction: int) -> Sequence[Wish]:
        if direction > 0:
            return self.target(tick, self.parameters.quantity, "fast average above slow")
        quantity = -self.parameters.quantity if self.parameters.allow_short else 0
        return self.target(tick, quantity, "fast average below slow")
