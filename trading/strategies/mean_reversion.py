"""Mean reversion: buy what has fallen far below its average, sell when it is back, tick by tick."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field, model_validator

from trading.indicators.bollinger import Bollinger
from trading.strategies.base import Parameters, Wish
from trading.strategies.price_strategy import PriceState, PriceStrategy


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


class MeanReversionState(PriceState, kw_only=True):
    """The bands, and whether a position is wished for."""

    bands: Bollinger
    holding: bool = False


class MeanReversion(PriceStrategy):
    """Long after a fall of `entry_tenths`, flat again within `exit_tenths` of the average."""

    name: ClassVar[str] = "mean_reversion"
    summary: ClassVar[str] = "Buys falls below the moving average and sells the return to it"
    parameters_type = MeanReversionParameters
    state_type = MeanReversionState

    def new_state(self) -> MeanReversionState:
        """Bands that have seen nothing."""
        return MeanReversionState(bands=Bollinger(self.parameters.window))

    def on_price(self, instrument_token: int, price_units: int, own: MeanReversionState) -> Sequence[Wish]:
        """Move the window on; wish when the price crosses a band."""
        bands = own.bands
        distance = 10 * (price_units - bands.update(price_units))
        if not bands.is_ready:
            return ()
        deviation = bands.deviation
        if not own.holding and deviation and distance < -self.parameters.entry_tenths * deviation:
            own.holding = True
            return self.target(instrument_token, self.parameters.quantity, "far below the average")
        if own.holding and distance >= -self.parameters.exit_tenths * deviation:
            own.holding = False
            return self.target(instrument_token, 0, "back at the average")
        return ()
