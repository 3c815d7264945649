"""Mean reversion: buy what has fallen far below its average, sell when it is back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import isqrt
from typing import ClassVar, Self

import msgspec
from pydantic import Field, model_validator

from models.messages.ticks import Tick
from trading.strategies.base import Parameters, Strategy, Wish


class MeanReversionParameters(Parameters):
    """Window in ticks, deviations in tenths of a standard deviation, quantity in units."""

    window: int = Field(30, ge=5, le=2000)
    entry_tenths: int = Field(20, ge=1, le=100)
    exit_tenths: int = Field(3, ge=0, le=100)
    quantity: int = Field(10, ge=1)

    @model_validator(mode="after")
    def _exit_is_nearer(self) -> Self:
        if self.exit_tenths >= self.entry_tenths:
            raise ValueError(f"exit_tenths ({self.exit_tenths}) must be below entry_tenths ({self.entry_tenths})")
        return self


class MeanReversionState(msgspec.Struct, array_like=True, dict=True):
    """The window's prices; the oldest is at `at` once the window is full."""

    prices: list[int]
    at: int = 0
    holding: bool = False

    @cached_property
    def sums(self) -> list[int]:
        """Sum and sum of squares of the prices, kept up with them. Not stored: squares outgrow 64 bits."""
        return [sum(self.prices), sum(price * price for price in self.prices)]


class MeanReversion(Strategy):
    """Long after a fall of `entry_tenths`, flat again within `exit_tenths` of the average."""

    name: ClassVar[str] = "mean_reversion"
    summary: ClassVar[str] = "Buys falls below the moving average and sells the return to it"
    parameters_type = MeanReversionParameters
    state_type = MeanReversionState

    def on_tick(self, tick: Tick, clock: int) -> Sequence[Wish]:
        """Move the window on; wish when the price crosses a band."""
        own = self.state.get(tick.instrument_token)
        if own is None:
            own = self.state[tick.instrument_token] = MeanReversionState([])
        price, window = tick.last_price_units, self.parameters.window
        prices, sums = own.prices, own.sums
        if len(prices) < window:
            prices.append(price)
        else:
            gone = prices[own.at]
            prices[own.at] = price
            own.at = (own.at + 1) % window
            sums[0] -= gone
            sums[1] -= gone * gone
        sums[0] += price
        sums[1] += price * price
        return self._judge(tick, own, window) if len(prices) == window else ()

    def _judge(self, tick: Tick, own: MeanReversionState, window: int) -> Sequence[Wish]:
        """Compare the distance from the average with the deviation, both times `window`."""
        total, squares = own.sums
        distance = tick.last_price_units * window - total
        deviation = isqrt(max(0, squares * window - total * total))
        if not own.holding and deviation and distance * 10 < -self.parameters.entry_tenths * deviation:
            own.holding = True
            return self.target(tick, self.parameters.quantity, "far below the average")
        if own.holding and distance * 10 >= -self.parameters.exit_tenths * deviation:
            own.holding = False
            return self.target(tick, 0, "back at the average")
        return ()
