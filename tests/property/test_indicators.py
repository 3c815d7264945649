"""Indicators are what their definitions say, computed anew from the whole series, and survive being stored anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import fsum, isclose, sqrt
from random import Random
from statistics import pstdev
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.indicators.atr import Atr
from trading.indicators.averages import Ema, Sma
from trading.indicators.bollinger import Bollinger
from trading.indicators.rsi import Rsi
from trading.indicators.vwap import Vwap

periods = st.integers(1, 12)
prices = st.integers(1, 40_000).map(lambda steps: steps * 500)
series = st.lists(prices, min_size=1, max_size=60)


def near(one: float, other: float) -> bool:
    return isclose(one, other, rel_tol=1e-9, abs_tol=1e-6)


def wilder(values: Sequence[float], period: int) -> float:
    """Wilder's average: the mean of the first `period`, then a `period`-th of each further value."""
    found = fsum(values[:period]) / period
    for value in values[period:]:
        found = (found * (period - 1) + value) / period
    return found


@given(series, periods)
def test_averages_are_their_definitions(values: list[int], period: int) -> None:
    sma, ema = Sma(period), Ema(period)
    for number, value in enumerate(values, 1):
        assert sma.update(value) == sma.value
        assert ema.update(value) == ema.value
        assert sma.is_ready is ema.is_ready is (number >= period)
        if number >= period:
            assert near(sma.value, fsum(values[number - period : number]) / period)
            expected = fsum(values[:period]) / period
            for later in values[period:number]:
                expected = later * 2 / (period + 1) + expected * (1 - 2 / (period + 1))
            assert near(ema.value, expected)


@given(series, periods)
def test_bollinger_is_mean_and_population_deviation(values: list[int], period: int) -> None:
    bands = Bollinger(period, 1.5)
    for number, value in enumerate(values, 1):
        assert bands.update(value) == bands.middle
        window = values[max(0, number - period) : number]
        assert bands.is_ready is (number >= period)
        assert near(bands.middle, fsum(window) / len(window))
        assert isclose(bands.deviation, pstdev(window), rel_tol=1e-7, abs_tol=1e-3)
        assert near(bands.upper - bands.middle, bands.middle - bands.lower)
        assert near(bands.upper, bands.middle + 1.5 * bands.deviation)


@given(series, periods)
def test_rsi_is_wilders(values: list[int], period: int) -> None:
    index = Rsi(period)
    for number, value in enumerate(values, 1):
        assert index.update(value) == index.value
        assert index.is_ready is (number > period)
        if index.is_ready:
            changes = [after - before for before, after in pairwise(values[:number])]
            gain = wilder([max(one, 0) for one in changes], period)
            loss = wilder([max(-one, 0) for one in changes], period)
            assert near(index.value, 100 * gain / (gain + loss) if gain + loss else 50.0)


@given(st.lists(st.tuples(prices, prices, prices).map(sorted), min_size=1, max_size=40), periods, st.data())
def test_atr_is_wilders_average_of_true_ranges(bars: list[list[int]], period: int, data: st.DataObject) -> None:
    atr, ranges, before = Atr(period), [], None
    for low, close, high in bars:
        if before is not None:
            ranges.append(max(high - low, abs(high - before), abs(low - before)))
        before = close
        atr.update(high, low, close)
        assert atr.is_ready is (len(ranges) >= period)
        if atr.is_ready:
            assert near(atr.value, wilder(ranges, period))


@given(st.lists(st.tuples(st.integers(0, 2), prices, prices, prices, st.integers(0, 10**6)), max_size=40))
def test_vwap_is_that_of_the_session(bars: list[tuple[int, int, int, int, int]]) -> None:
    vwap = Vwap()
    for number, (session, high, low, close, volume) in enumerate(bars, 1):
        vwap.update(session, high, low, close, volume)
        begin = number
        while begin and bars[begin - 1][0] == session:
            begin -= 1
        own = bars[begin:number]
        total = sum(one[4] for one in own)
        assert vwap.is_ready is (total > 0)
        if total:
            assert near(vwap.value, float(Fraction(sum(sum(one[1:4]) * one[4] for one in own), 3 * total)))


INDICATORS: list[tuple[Callable[[], Any], Callable[[Any, int], object]]] = [
    (lambda: Ema(5), lambda one, value: one.update(value)),
    (lambda: Sma(5), lambda one, value: one.update(value)),
    (lambda: Bollinger(5), lambda one, value: one.update(value)),
    (lambda: Rsi(5), lambda one, value: one.update(value)),
    (lambda: Atr(5), lambda one, value: one.update(value + 500, value - 500, value)),
    (Vwap, lambda one, value: one.update(value % 2, value + 500, value - 500, value, value)),
]
every = pytest.mark.parametrize(("new", "update"), INDICATORS, ids=["ema", "sma", "bollinger", "rsi", "atr", "vwap"])


@every
@given(values=series, cut=st.integers(0, 60))
def test_stored_anywhere_it_goes_on_to_the_last_bit(
    new: Callable[[], Any], update: Callable[[Any, int], object], values: list[int], cut: int
) -> None:
    whole, first = new(), new()
    expected = [update(whole, value) for value in values]
    found = [update(first, value) for value in values[:cut]]
    second = msgspec.msgpack.decode(msgspec.msgpack.encode(first), type=type(first))
    found += [update(second, value) for value in values[cut:]]
    assert found == expected
    assert msgspec.msgpack.encode(second) == msgspec.msgpack.encode(whole)


@every
def test_its_state_does_not_grow(new: Callable[[], Any], update: Callable[[Any, int], object]) -> None:
    one, rng, sizes = new(), Random(1), set()
    for number in range(2000):
        update(one, rng.randint(1, 40_000) * 500)
        if number > 10:
            sizes.add(len(msgspec.msgpack.encode(one)))
    assert max(sizes) - min(sizes) < 8


def test_rounding_does_not_pile_up_in_a_hundred_thousand_updates() -> None:
    """Values of very different size, as a market of years would not have them; after two rounds nothing is left."""
    rng, sma, bands = Random(7), Sma(20), Bollinger(20)
    for number in range(100_000):
        value = rng.random() * 10 ** (12 if number % 1000 == 0 else 0)
        sma.update(value)
        bands.update(value)
    window = [rng.random() for _ in range(40)]
    for value in window:
        sma.update(value)
        bands.update(value)
    mean = fsum(window[20:]) / 20
    assert isclose(sma.value, mean, rel_tol=1e-12)
    assert isclose(bands.middle, mean, rel_tol=1e-12)
    assert isclose(bands.deviation, sqrt(fsum((one - mean) ** 2 for one in window[20:]) / 20), rel_tol=1e-9)


def test_a_market_that_stands_still_has_no_deviation_and_a_neutral_rsi() -> None:
    bands, index = Bollinger(10), Rsi(5)
    rng = Random(3)
    for value in [*(rng.random() * 1e7 for _ in range(50)), *[15_000_000.5] * 20]:
        bands.update(value)
    for _ in range(20):
        index.update(15_000_000)
    assert bands.deviation == 0.0
    assert index.is_ready
    assert index.value == 50.0
