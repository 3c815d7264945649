"""RSI: buy oversold, sell overbought, by Wilder's relative strength index over ticks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from trading.indicators.rsi import Rsi as Index
from trading.strategies.base import Parameters, Wish
from trading.strategies.price_strategy import PriceState, PriceStrategy


class RsiParameters(Parameters):
    """Period in ticks, levels 0-100, quantity in units."""

    period: int = Field(14, ge=2, le=1000)
    oversold: int = Field(25, ge=1, le=49)
    overbought: int = Field(70, ge=51, le=99)
    quantity: int = Field(10, ge=1)


class RsiState(PriceState, kw_only=True):
    """The index, and whether a position is wished for."""

    index: Index
    holding: bool = False


class Rsi(PriceStrategy):
    """Long when the index falls below `oversold`, flat when it rises above `overbought`."""

    name: ClassVar[str] = "rsi"
    summary: ClassVar[str] = "Buys when the relative strength index is oversold, sells when overbought"
    parameters_type = RsiParameters
    state_type = RsiState

    def new_state(self) -> RsiState:
        """An index that has seen nothing."""
        return RsiState(index=Index(self.parameters.period))

    def on_price(self, instrument_token: int, price_units: int, own: RsiState) -> Sequence[Wish]:
        """Update the index; wish when it crosses a level."""
        index = own.index.update(price_units)
        if not own.index.is_ready:
            return ()
        if not own.holding and index <= self.parameters.oversold:
            own.holding = True
            return self.target(instrument_token, self.parameters.quantity, f"index {index:.0f}: oversold")
        if own.holding and index >= self.parameters.overbought:
            own.holding = False
            return self.target(instrument_token, 0, f"index {index:.0f}: overbought")
        return ()
