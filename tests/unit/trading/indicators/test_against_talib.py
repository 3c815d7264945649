"""Indicators say what TA-Lib says, value by value, on generated and on recorded bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.shared_data import shared_data
from tests.unit.trading.indicators.series import generated, recorded
from trading.indicators.atr import Atr
from trading.indicators.averages import Ema, Sma
from trading.indicators.bollinger import Bollinger
from trading.indicators.rsi import Rsi
from trading.market.ticks_from_bars import Bar

talib = pytest.importorskip("talib", reason="TA-Lib, to which indicators are compared, is not installed")
numpy = pytest.importorskip("numpy")
SYMBOLS = ("ACC", "INFY", "INDIAVIX", "MRF")
PERIODS = (2, 3, 14, 50)


def bars_of(name: str) -> list[Bar]:
    if name.startswith("seed"):
        return generated(int(name.removeprefix("seed")), 3000)
    return recorded(shared_data("minute_2016_kite", f"{name}.csv.gz"))


def columns(bars: Sequence[Bar]) -> dict[str, Any]:
    return {
        name: numpy.array([getattr(bar, f"{name}_units") for bar in bars], dtype=float)
        for name in ("high", "low", "close")
    }


def compare(found: list[float | None], expected: Any, tolerance: float) -> None:
    assert [value is None for value in found] == [bool(one) for one in numpy.isnan(expected)]
    pairs = [(one, other) for one, other in zip(found, expected, strict=True) if one is not None]
    assert len(pairs) > len(found) / 2
    assert max(abs(one - other) for one, other in pairs) <= tolerance


def by_close(indicator: Any, bars: Sequence[Bar], read: Callable[[Any], float] = lambda one: one.value) -> list[Any]:
    found = []
    for bar in bars:
        indicator.update(bar.close_units)
        found.append(read(indicator) if indicator.is_ready else None)
    return found


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("name", ["seed1", "seed2", *SYMBOLS])
def test_indicators_equal_talib(name: str, period: int) -> None:
    """Prices are in 1/10,000 rupee: a millionth of that is far below any tick."""
    bars = bars_of(name)
    of = columns(bars)
    close = of["close"]
    compare(by_close(Ema(period), bars), talib.EMA(close, period), 1e-6)
    compare(by_close(Sma(period), bars), talib.SMA(close, period), 1e-6)
    compare(by_close(Rsi(period), bars), talib.RSI(close, period), 1e-6)
    atr, found = Atr(period), []
    for bar in bars:
        atr.update(bar.high_units, bar.low_units, bar.close_units)
        found.append(atr.value if atr.is_ready else None)
    compare(found, talib.ATR(of["high"], of["low"], close, period), 1e-6)


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("name", ["seed1", "seed2", *SYMBOLS])
def test_bollinger_equals_talib(name: str, period: int) -> None:
    """TA-Lib subtracts squares of whole prices and so loses half the digits of a deviation; its middle it does not."""
    bars = bars_of(name)
    upper, middle, lower = talib.BBANDS(columns(bars)["close"], period, 2.5, 2.5)
    compare(by_close(Bollinger(period, 2.5), bars, lambda one: one.middle), middle, 1e-6)
    compare(by_close(Bollinger(period, 2.5), bars, lambda one: one.upper), upper, 5.0)
    compare(by_close(Bollinger(period, 2.5), bars, lambda one: one.lower), lower, 5.0)
