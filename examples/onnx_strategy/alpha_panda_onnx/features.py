"""What the model sees. The same code makes the training data and, bar by bar, what is traded on."""

from __future__ import annotations

from math import isfinite
from typing import NamedTuple

import msgspec

from trading.indicators.atr import Atr
from trading.indicators.averages import Sma
from trading.indicators.rsi import Rsi
from trading.market.ticks_from_bars import Bar

VERSION = 1  # raise it whenever a feature is computed differently


class Feature(NamedTuple):
    """A column of the model's input."""

    name: str
    type: str


FEATURES = (
    Feature("return_1", "float32"),  # of the close, against the bar before
    Feature("rsi_14", "float32"),  # 0 to 1
    Feature("distance_sma_20", "float32"),  # of the close from its average, in average true ranges
    Feature("range_atr_14", "float32"),  # high less low, in average true ranges
    Feature("volume_ratio_20", "float32"),  # volume against its average
)


class FeatureState(msgspec.Struct, array_like=True):
    """Everything the features of one instrument remember."""

    close: float = 0.0
    rsi: Rsi = msgspec.field(default_factory=lambda: Rsi(14))
    average: Sma = msgspec.field(default_factory=lambda: Sma(20))
    volume: Sma = msgspec.field(default_factory=lambda: Sma(20))
    range: Atr = msgspec.field(default_factory=lambda: Atr(14))


def features_of(state: FeatureState, bar: Bar) -> list[float] | None:
    """The features at a bar's close, in the order of `FEATURES`; None while warming up or when one has no value."""
    close, before = float(bar.close_units), state.close
    state.close = close
    state.rsi.update(close)
    state.average.update(close)
    state.volume.update(bar.volume)
    state.range.update(bar.high_units, bar.low_units, close)
    if not (state.average.is_ready and state.rsi.is_ready and state.range.is_ready):
        return None
    try:
        row = [
            close / before - 1,
            state.rsi.value / 100,
            (close - state.average.value) / state.range.value,
            (bar.high_units - bar.low_units) / state.range.value,
            bar.volume / state.volume.value,
        ]
    except ZeroDivisionError:
        return None
    return row if all(map(isfinite, row)) else None
