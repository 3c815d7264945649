"""Finds strategies by name: the built-in ones and those other installed packages offer.

A package offers strategies through the entry point group `alpha_panda.strategies`; each entry loads a `Strategy` class.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from inspect import isabstract

from trading.strategies.base import Strategy
from trading.strategies.crossover import Crossover
from trading.strategies.low_frequency import LowFrequency
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.momentum import Momentum
from trading.strategies.opening_range import OpeningRange
from trading.strategies.pairs import Pairs
from trading.strategies.rsi import Rsi

GROUP = "alpha_panda.strategies"
BUILT_IN: tuple[type[Strategy], ...] = (
    Momentum,
    MeanReversion,
    Rsi,
    LowFrequency,
    Crossover,
    OpeningRange,
    Pairs,
)


class StrategyNotFound(LookupError):
    """Raised for a name no strategy has."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"There is no strategy {name!r}; known strategies: {', '.join(known)}")


@cache
def _catalogue() -> tuple[dict[str, type[Strategy]], dict[str, str]]:
    found: dict[str, type[Strategy]] = {strategy.name: strategy for strategy in BUILT_IN}
    broken: dict[str, str] = {}
    for entry in entry_points(group=GROUP):
        try:
            found[entry.name] = _load(entry, found)
        except Exception as error:
            broken[entry.name] = f"{type(error).__name__}: {error}"
    return found, broken


def _load(entry: EntryPoint, found: Mapping[str, type[Strategy]]) -> type[Strategy]:
    strategy: type[Strategy] = entry.load()
    if not issubclass(strategy, Strategy) or isabstract(strategy):
        raise TypeError(f"{entry.value} is no complete Strategy")
    if entry.name in found:
        raise ValueError(f"{entry.value} has a name that is taken")
    return strategy


def names() -> list[str]:
    """All strategies that can be used."""
    return sorted(_catalogue()[0])


def broken() -> dict[str, str]:
    """Strategies other packages offer that do not load, with the reason."""
    return dict(_catalogue()[1])


def find(name: str) -> type[Strategy]:
    """The strategy of that name. Raises StrategyNotFound."""
    found = _catalogue()[0].get(name)
    if found is None:
        raise StrategyNotFound(name, names())
    return found
