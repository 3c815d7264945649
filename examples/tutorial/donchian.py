"""Long above the highest close of the last bars, flat below the lowest."""

import msgspec
from pydantic import Field

from trading.strategies.bar_strategy import BarParameters, BarStrategy


class DonchianParameters(BarParameters):
    """Window in bars, quantity in units."""

    window: int = Field(20, ge=2, le=1000)
    quantity: int = Field(10, ge=1)


class DonchianState(msgspec.Struct):
    """The last closes, and whether a position is wished for."""

    closes: list[int] = []
    holding: bool = False


class Donchian(BarStrategy):
    """Built for each partition of the market; `own` is the state of one instrument."""

    name, summary = "donchian", "Goes with the breakout from the last bars' closes"
    parameters_type, state_type = DonchianParameters, DonchianState

    def on_day(self, instrument_token, opens):
        """Begin flat: the broker has squared off the position of the day before."""
        self.own(instrument_token).holding = False

    def on_bar(self, instrument_token, bar):
        """Wish for a position at a breakout, and for none when it is over."""
        own, close = self.own(instrument_token), bar.close_units
        before, own.closes = own.closes, [*own.closes, close][-self.parameters.window :]
        if len(before) == self.parameters.window:
            if not own.holding and close > max(before):
                own.holding = True
                return self.target(instrument_token, self.parameters.quantity, "above the highest close")
            if own.holding and close < min(before):
                own.holding = False
                return self.target(instrument_token, 0, "below the lowest close")
        return ()
