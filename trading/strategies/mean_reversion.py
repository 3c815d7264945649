"""Mean reversion: buy what has fallen far below its average, sell when it is back."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import ClassVar

import msgspec
from pydantic import Field

from models.messages.ticks import Tick
from trading.strategies.base import Parameters, Strategy, Wish


class MeanReversionParameters(Parameters):
    """Window in ticks, deviations in tenths of a standard deviation, quantity in units."""

    window: int = Field(30, ge=5, le=2000)
    entry_tenths: int = Field(20, ge=1, le=100)
    exit_tenths: int = Field(3, ge=0, le=100)
    quantity: int = Field(10, ge=1)


class MeanReversionState(msgspec.Struct, array_like=True):
    """The window's prices with their sum and sum of squares, all integers."""

    prices: list[int]
    at: int = 0
    total: int = 0
    squares: int = 0
    holding: bool = False


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
        if len(own.prices) < window:
            own.prices.append(price)
        else:
            gone = own.prices[own.at]
            own.prices[own.at] = price
            own.at = (own.at + 1) % window
            own.total -= gone
            own.squares -= gone * gone
        own.total += price
        own.squares += price * price
        if len(own.prices) < window:
            return ()
        return self._judge(tick, own, price * window - own.total, window)

    def _judge(self, tick: Tick, own: MeanReversionState, distance: int, window: int) -> Sequence[Wish]:
        """`distance` is (price - average) * window; the deviation is scaled alike."""
        deviation = isqrt(max(0, own.squares * window - own.total * own.total))
        if not own.holding and deviation and distance * 10 < -self.parameters.entry_tenths * deviation:
            own.holding = True
            return self.target(tick, self.parameters.quantity, "far below the average")
        if own.holding and distance * 10 >= -self.parameters.exit_tenths * deviation:
            own.holding = False
            return self.target(tick, 0, "back at the average")
        return ()
