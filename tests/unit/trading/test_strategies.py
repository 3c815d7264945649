"""The strategies that look at ticks do what their names say; all are found by name."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
from pydantic import ValidationError

from models.messages.orders import Product
from models.messages.signals import Intent
from models.messages.ticks import Tick
from tests.factories import AT, TOKEN, instrument, tick
from tests.strategy_runs import QUICK, market, run
from tests.strategy_runs import build as quick_build
from trading.strategies import registry
from trading.strategies.base import Strategy, Wish
from trading.strategies.low_frequency import LowFrequency
from trading.strategies.mean_reversion import MeanReversion
from trading.strategies.momentum import Momentum
from trading.strategies.rsi import Rsi


def build(kind: type[Strategy], parameters: dict[str, int]) -> Strategy:
    return kind(kind.parameters_type(**parameters), {TOKEN: instrument()})


def wishes(strategy: Strategy, ticks: list[Tick]) -> list[Wish]:
    return [wish for one in ticks for wish in strategy.on_tick(one, one.exchange_time)]


def test_momentum_goes_long_on_a_rise_and_flat_on_a_fall() -> None:
    rise = [tick(price=15_000_000 + 20_000 * n, sequence=n + 1) for n in range(30)]
    fall = [tick(price=15_600_000 - 20_000 * n, sequence=n + 31) for n in range(60)]
    found = wishes(build(Momentum, {"fast": 3, "slow": 8, "quantity": 7}), rise + fall)
    assert [(one.intent, one.target_quantity) for one in found] == [(Intent.TARGET, 7), (Intent.TARGET, 0)]


def test_mean_reversion_buys_the_fall_and_sells_the_return() -> None:
    flat = [15_000_000 + (500 if number % 2 else -500) for number in range(20)]
    path = [*flat, 14_900_000, 15_000_000, 15_000_000]
    ticks = [tick(price=price, sequence=number) for number, price in enumerate(path, 1)]
    found = wishes(build(MeanReversion, {"window": 20, "quantity": 4}), ticks)
    assert [one.target_quantity for one in found] == [4, 0]


def test_rsi_buys_oversold_and_sells_overbought() -> None:
    path = [15_000_000 - 5_000 * number for number in range(10)] + [14_955_000 + 5_000 * number for number in range(20)]
    ticks = [tick(price=price, sequence=number) for number, price in enumerate(path, 1)]
    found = wishes(build(Rsi, {"period": 5, "quantity": 3}), ticks)
    assert [one.target_quantity for one in found] == [3, 0]


def test_low_frequency_opens_by_limit_and_closes_after_holding() -> None:
    ticks = [tick(sequence=number, at=AT + number) for number in range(1, 60)]
    found = wishes(build(LowFrequency, {"every_seconds": 10, "hold_seconds": 4}), ticks)
    assert [one.intent for one in found[:4]] == [Intent.OPEN, Intent.CLOSE, Intent.OPEN, Intent.CLOSE]
    assert found[0].limit_price is not None
    assert found[0].limit_price < 1500


@pytest.mark.parametrize("name", sorted(QUICK))
@pytest.mark.parametrize("product", [Product.MIS, Product.CNC])
def test_every_wish_is_for_the_product_of_the_parameters(name: str, product: Product) -> None:
    made = run(quick_build(registry.find(name), product=product), market(seed=3))
    assert made
    assert {one.wish.product for one in made} == {product}


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (Momentum, {"fast": 8, "slow": 8}),
        (Momentum, {"quick": 1}),
        (Rsi, {"oversold": 60, "overbought": 51}),
        (MeanReversion, {"window": "many"}),
    ],
)
def test_wrong_parameters_are_refused(kind: type[Strategy], parameters: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        kind.parameters_type(**parameters)


class FromElsewhere(Momentum):
    """A strategy another package offers."""

    name = "elsewhere"


class SomethingElse:
    """Not a strategy."""


def test_strategies_of_other_packages_are_found_and_broken_ones_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = [
        EntryPoint("elsewhere", f"{__name__}:FromElsewhere", registry.GROUP),
        EntryPoint("missing", "no_such_module:Thing", registry.GROUP),
        EntryPoint("wrong", f"{__name__}:AT", registry.GROUP),
        EntryPoint("abstract", "trading.strategies.base:Strategy", registry.GROUP),
        EntryPoint("other", f"{__name__}:SomethingElse", registry.GROUP),
        EntryPoint("momentum", f"{__name__}:FromElsewhere", registry.GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: offered)
    registry._catalogue.cache_clear()
    try:
        assert registry.find("elsewhere").__name__ == "FromElsewhere"
        assert registry.find("momentum") is Momentum
        assert registry.broken() == {
            "missing": "ModuleNotFoundError: No module named 'no_such_module'",
            "wrong": "TypeError: issubclass() arg 1 must be a class",
            "abstract": "TypeError: trading.strategies.base:Strategy is no complete Strategy",
            "other": f"TypeError: {__name__}:SomethingElse is no complete Strategy",
            "momentum": f"ValueError: {__name__}:FromElsewhere has a name that is taken",
        }
        assert registry.names() == sorted([*(one.name for one in registry.BUILT_IN), "elsewhere"])
        with pytest.raises(
            registry.StrategyNotFound, match=r"no strategy 'nope'; known strategies: crossover, elsewhere, low_f"
        ):
            registry.find("nope")
    finally:
        registry._catalogue.cache_clear()
