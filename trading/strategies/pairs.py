"""Pairs: trade the ratio of two instruments when it has run away from its average, and back.

Both legs are wished for at once, as one group: risk takes both or none. A pair never adds to one leg alone, and leaving
wishes both to be flat: should a leg have got lost (it expired, or was rejected by the broker), the other is closed with
the pair, at the latest before the day's end. Only minutes in which both have traded count.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any, ClassVar, Self

import msgspec
from pydantic import Field, model_validator

from models.messages.signals import Intent
from trading.indicators.bollinger import Bollinger
from trading.market.instruments import Instrument
from trading.market.ticks_from_bars import Bar
from trading.strategies.base import Wish
from trading.strategies.intraday import IntradayParameters, IntradayStrategy

LEGS = 2


class PairsParameters(IntradayParameters):
    """Window in bars, deviations in tenths of a standard deviation, quantity in units of the first leg.

    The second leg has the same value, rounded to its lot.
    """

    window: int = Field(60, ge=5, le=2000)
    entry_tenths: int = Field(20, ge=1, le=100)
    exit_tenths: int = Field(5, ge=0, le=100)
    stop_tenths: int = Field(40, ge=2, le=200)
    quantity: int = Field(10, ge=1)

    @model_validator(mode="after")
    def _levels_are_ordered(self) -> Self:
        if not self.exit_tenths < self.entry_tenths < self.stop_tenths:
            raise ValueError(
                f"exit_tenths ({self.exit_tenths}), entry_tenths ({self.entry_tenths}) and "
                f"stop_tenths ({self.stop_tenths}) must rise in this order"
            )
        return self


class PairsState(msgspec.Struct, array_like=True, kw_only=True):
    """The pair, kept under the first leg's token: bands of the logarithm of the ratio, and the side of the first leg.

    `first` and `second` are each leg's last bar: start and close. Other `legs` begin a new pair. After a stop the pair
    waits until the ratio has come back.
    """

    bands: Bollinger
    legs: tuple[int, int]
    first: tuple[int, int] = (0, 0)
    second: tuple[int, int] = (0, 0)
    side: int = 0
    flat_by: int = 0
    is_stopped: bool = False


class Pairs(IntradayStrategy):
    """Sells the dear leg and buys the cheap one beyond `entry_tenths`; out within `exit_tenths` or at `stop_tenths`."""

    joint: ClassVar[bool] = True
    name: ClassVar[str] = "pairs"
    summary: ClassVar[str] = "Trades the ratio of two instruments back to its average, both legs or none"
    parameters_type = PairsParameters
    state_type = PairsState

    @classmethod
    def check_instruments(cls, instruments: Sequence[Instrument]) -> None:
        """Two, in one co-location group: only then do the ticks of both come in order to one place."""
        if len(instruments) != LEGS:
            raise ValueError(f"{cls.name} needs exactly two instruments, not {len(instruments)}")
        groups = dict.fromkeys(one.co_location_group for one in instruments)
        if len(groups) > 1:
            raise ValueError(f"{cls.name} needs its instruments in one co-location group, not in {', '.join(groups)}")

    def new_state(self) -> PairsState:
        """Bands that have seen nothing."""
        return PairsState(bands=Bollinger(self.parameters.window), legs=self._legs)

    @property
    def _legs(self) -> tuple[int, int]:
        first, second = self.instruments
        return first, second

    def _pair(self) -> PairsState:
        first = self._legs[0]
        if self.own(first).legs != self._legs:
            self.state = {first: self.new_state()}
        found: PairsState = self.state[first]
        return found

    def on_bar(self, instrument_token: int, bar: Bar) -> Sequence[Wish]:
        """Judge the ratio once both legs have a bar of the same minutes."""
        own, (first, second) = self._pair(), self._legs
        if instrument_token == first:
            own.first = bar.start, bar.close_units
        elif instrument_token == second:
            own.second = bar.start, bar.close_units
        else:
            return ()
        if own.first[0] != own.second[0] or not own.first[1] or not own.second[1]:
            return ()
        ratio = log(own.first[1] / own.second[1])
        distance = ratio - own.bands.update(ratio)
        if not own.bands.is_ready or not own.bands.deviation or not self.is_current(bar):
            return ()
        return self._judge(own, 10 * distance / own.bands.deviation, bar.start)

    def _judge(self, own: PairsState, tenths: float, start: int) -> Sequence[Wish]:
        """`tenths` is how far the ratio is above its average, in tenths of a standard deviation."""
        parameters = self.parameters
        if own.side:
            away = -own.side * tenths
            if away >= parameters.stop_tenths:
                own.is_stopped = True
                return self._flat(own, str(start), "the ratio ran away further")
            return self._flat(own, str(start), "the ratio is back") if away <= parameters.exit_tenths else ()
        if abs(tenths) <= parameters.exit_tenths:
            own.is_stopped = False
        own.flat_by = min(self.flat_by(token, start) for token in self._legs)
        too_late = start + parameters.minutes * 60 >= own.flat_by
        if own.is_stopped or too_late or abs(tenths) <= parameters.entry_tenths:
            return ()
        own.side = -1 if tenths > 0 else 1
        quantities = own.side * parameters.quantity, -own.side * self._second_quantity(own)
        return self._wish(quantities, str(start), "the ratio is far from its average")

    def _second_quantity(self, own: PairsState) -> int:
        lot = self.instruments[self._legs[1]].lot_size
        units: int = self.parameters.quantity * own.first[1]
        return max(1, (2 * units + own.second[1] * lot) // (2 * own.second[1] * lot)) * lot

    def _flat(self, own: PairsState, group: str, reason: str) -> Sequence[Wish]:
        own.side = 0
        return self._wish((0, 0), group, reason)

    def _wish(self, quantities: tuple[int, int], group: str, reason: str) -> Sequence[Wish]:
        product = self.parameters.product
        common: dict[str, Any] = {"intent": Intent.TARGET, "product": product, "group": group, "reason": reason}
        return [
            Wish(instrument_token=token, target_quantity=quantity, leg=leg, **common)
            for leg, (token, quantity) in enumerate(zip(self._legs, quantities, strict=True))
        ]

    def leave(self, instrument_token: int, own: PairsState, clock: int) -> Sequence[Wish]:
        """Both legs: the time has come."""
        return self._flat(own, f"{clock}.end", "the day ends")
