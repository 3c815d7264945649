"""Long while the model says that the next bar rises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import msgspec
from pydantic import Field, model_validator

from alpha_panda_onnx.features import FeatureState, features_of
from alpha_panda_onnx.model import Model
from trading.market.instruments import Instrument
from trading.market.ticks_from_bars import Bar
from trading.strategies.bar_strategy import BarParameters, BarStrategy
from trading.strategies.base import Wish


class OnnxDirectionParameters(BarParameters):
    """Path of the model, probabilities of a rise in percent, quantity in units."""

    model: Path
    enter_percent: int = Field(55, ge=50, le=100)
    leave_percent: int = Field(48, ge=0, le=99)
    quantity: int = Field(10, ge=1)

    @model_validator(mode="after")
    def _leaves_below_entry(self) -> Self:
        if self.leave_percent >= self.enter_percent:
            raise ValueError(f"leave_percent ({self.leave_percent}) must be below enter_percent ({self.enter_percent})")
        return self


class OnnxDirectionState(msgspec.Struct, array_like=True):
    """What the features remember, and whether a position is wished for today."""

    features: FeatureState = msgspec.field(default_factory=FeatureState)
    holding: bool = False


class OnnxDirection(BarStrategy):
    """Built only with a model whose declared features are those it computes: ModelRefused otherwise."""

    name: ClassVar[str] = "onnx_direction"
    summary: ClassVar[str] = "Goes long while an ONNX model expects the next bar to rise"
    parameters_type = OnnxDirectionParameters
    state_type = OnnxDirectionState

    def __init__(self, parameters: Any, instruments: Mapping[int, Instrument]) -> None:
        super().__init__(parameters, instruments)
        self.model = Model(parameters.model)

    def on_day(self, instrument_token: int, opens: int) -> None:
        """Nothing is held."""
        self.own(instrument_token).holding = False

    def on_bar(self, instrument_token: int, bar: Bar) -> Sequence[Wish]:
        """Ask the model; without every feature, or without an answer, nothing is wished."""
        own: OnnxDirectionState = self.own(instrument_token)
        row = features_of(own.features, bar)
        rise = None if row is None else self.model.rise(row)
        if rise is None:
            return ()
        return self._decide(instrument_token, own, 100 * rise)

    def _decide(self, token: int, own: OnnxDirectionState, percent: float) -> Sequence[Wish]:
        if not own.holding and percent >= self.parameters.enter_percent:
            own.holding = True
            return self.target(token, self.parameters.quantity, f"{percent:.1f} % for a rise")
        if own.holding and percent <= self.parameters.leave_percent:
            own.holding = False
            return self.target(token, 0, f"{percent:.1f} % for a rise")
        return ()
