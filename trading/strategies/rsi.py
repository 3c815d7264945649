"""RSI: buy oversold, sell overbought, by Wilder's relative strength index over ticks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from pydantic import Field

from models.messages.ticks import Tick
from trading.strategies.base import Parameters, Strategy, Wish

SCALE = 1 << 16


class RsiParameters(Parameters):
    """Period in ticks, levels 0-100, quantity in units."""

    period: int = Field(14, ge=2, le=1000)
    oversold: int = Field(25, ge=1, le=49)
    overbought: int = Field(70, ge=51, le=99)
    quantity: int = Field(10, ge=1)


class RsiState(msgspec.Struct, array_like=True):
    """Last price, and Wilder's averages of gains and losses in fixed point."""

    price: int
    gain: int = 0
    loss: int = 0
    seen: int = 1
    holding: bool = False


class Rsi(Strategy):
    """Long when the index falls below `oversold`, flat when it rises above `overbought`."""

    name: ClassVar[str] = "rsi"
    summary: ClassVar[str] = "Buys when the relative strength index is oversold, sells when overbought"
    parameters_type = RsiParameters
    state_type = RsiState

    def on_tick(self, tick: Tick, clock: int) -> Sequence[Wish]:
        """Update the averages; wish when the index crosses a level."""
        own = self.state.get(tick.instrument_token)
        price = tick.last_price_units
        if own is None:
            self.state[tick.instrument_token] = RsiState(price)
            return ()
        change = (price - own.price) * SCALE
        own.price = price
        period = self.parameters.period
        own.gain += (max(change, 0) - own.gain) // period
        own.loss += (max(-change, 0) - own.loss) // period
        own.seen += 1
        if own.seen <= period or own.gain + own.loss <= 0:
            return ()
        index = 100 * own.gain // (own.gain + own.loss)
        if not own.holding and index <= self.parameters.oversold:
            own.holding = True
            return self.target(tick, self.parameters.quantity, f"index {index}: oversold")
        if own.holding and index >= self.parameters.overbought:
            own.holding = False
            return self.target(tick, 0, f"index {index}: overbought")
        return ()
