"""Hosts give the clock to strategies, keep one instance's trouble from the others, and go on after any checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.hosts import Host, HostedInstance, Raised
from faust_app.runtime.reference_data import StrategyInstance
from models.messages.ticks import Tick, TickFrame
from tests.factories import TOKEN
from tests.strategy_runs import OPEN, OTHER, PAIR, QUICK, closes, market
from trading.market.instruments import Instrument, InstrumentRegistry
from trading.strategies.base import Parameters
from trading.strategies.crossover import Crossover
from trading.strategies.pairs import Pairs
from trading.strategies.price_strategy import PriceState, PriceStrategy
from trading.strategies.registry import BUILT_IN
from trading.strategies.signals import signal_of

REGISTRY = InstrumentRegistry(PAIR.values())
RISE = [100, 101, 102, 103, 104, 105]


class NeverBuilt(PriceStrategy):
    """Refuses to be built, as one whose file is missing does."""

    name, summary, parameters_type, state_type = "never", "never", Parameters, PriceState

    def __init__(self, parameters: Any, instruments: Mapping[int, Instrument]) -> None:
        raise FileNotFoundError("model.onnx is missing")

    def on_price(self, instrument_token: int, price_units: int, own: Any) -> Any:
        raise AssertionError


def row(strategy: str, instruments: tuple[str, ...] = ("*",), **parameters: Any) -> StrategyInstance:
    given = {**QUICK.get(strategy, {}), **parameters}
    return StrategyInstance(
        instance=strategy,
        strategy=strategy,
        parameters=given,
        instruments=instruments,
        brokers=("paper",),
        enabled=True,
    )


def hosted(*strategies: str) -> dict[str, HostedInstance]:
    return {name: HostedInstance.build(row(name), REGISTRY) for name in strategies}


def frames(ticks: list[Tick], *, until: int = 0) -> list[TickFrame]:
    """As the feed sends them: an empty frame for each new second, then its ticks; empty ones up to `until`."""
    found: list[TickFrame] = []
    clock = 0

    def add(*some: Tick) -> None:
        found.append(TickFrame(1, f"frame{len(found)}", "run", len(found) + 1, clock, 1, "shared", some))

    for one in ticks:
        if one.exchange_time > clock:
            clock = one.exchange_time
            add()
        add(one)
    while clock < until:
        clock += 1
        add()
    return found


def applied(host: Host, some: list[TickFrame], first: int = 0) -> list[Raised]:
    return [one for offset, frame in enumerate(some, first) for one in host.apply(offset, frame)]


def test_an_empty_frame_closes_a_bar_and_the_wish_comes_from_its_second() -> None:
    some = frames(closes(RISE), until=OPEN + 362)
    host = Host(0, {"crossover": HostedInstance.build(row("crossover", fast=1, slow=6), REGISTRY)})
    (found,) = applied(host, some)
    signal = signal_of(found.wish, found.cause, instance=found.instance, broker="paper", account="paper:main")
    assert (signal.origin.event_time, signal.origin.clock) == (OPEN + 361, OPEN + 361)
    assert (signal.origin.tick_sequence, signal.origin.price) == (6, Decimal("0.0105"))


def test_both_legs_of_a_pair_are_raised_with_their_own_prices_and_one_group() -> None:
    rng_ticks = [one for seed in range(3) for one in market(seed, 40, OPEN + 86_400 * (seed + 4))]
    host = Host(0, hosted("pairs"))
    found = applied(host, frames(rng_ticks))
    assert found
    groups: dict[str, set[int]] = {}
    for one in found:
        signal = signal_of(one.wish, one.cause, instance=one.instance, broker="paper", account="paper:main")
        groups.setdefault(signal.group, set()).add(signal.instrument_token)
        assert signal.origin.instrument_token == signal.instrument_token
        seen = [t for t in rng_ticks if t.instrument_token == signal.instrument_token]
        assert signal.origin.price in {t.last_price for t in seen}
    assert set(map(frozenset, groups.values())) == {frozenset((TOKEN, OTHER))}


@pytest.mark.parametrize("keys", [("NSE:INFY",), ("NSE:INFY", "NSE:NOWHERE")])
def test_a_pair_of_one_known_instrument_cannot_be_built(keys: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="pairs needs exactly two instruments, not 1"):
        HostedInstance.build(row("pairs", keys), REGISTRY)


def test_an_instance_that_cannot_start_leaves_the_others_running() -> None:
    broken = HostedInstance("never", NeverBuilt, Parameters(), PAIR, ("paper",), "definition")
    host = Host(0, {"never": broken, **hosted("crossover")})
    assert host.instances == ["crossover"]
    assert applied(host, frames(closes(RISE), until=OPEN + 362))


def test_a_strategy_that_fails_at_the_clock_leaves_the_others_running(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Pairs, clock: int) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(Pairs, "on_clock", fail)
    assert applied(Host(0, hosted("pairs", "crossover")), frames(closes(RISE), until=OPEN + 362))


def test_a_running_instance_takes_over_new_instruments() -> None:
    one = HostedInstance.build(row("crossover", ("NSE:INFY",)), REGISTRY)
    host = Host(0, {"crossover": one})
    applied(host, frames(closes(RISE[:2])))
    host.replace(hosted("crossover"))
    some = frames(closes(RISE, OTHER))
    assert {found.wish.instrument.instrument_token for found in applied(host, some, 100)} == {OTHER}


@given(seed=st.integers(0, 10**6), share=st.floats(0, 1))
def test_a_host_restored_at_any_frame_raises_the_same_signals(seed: int, share: float) -> None:
    """Checkpointed before a frame, restored in another host that reads on from there: nothing lost, nothing new."""
    some, names = frames(market(seed, 20)), [kind.name for kind in BUILT_IN]
    cut = int(share * len(some))
    expected = applied(Host(0, hosted(*names)), some)
    first, second = Host(0, hosted(*names)), Host(0, hosted(*names))
    before = applied(first, some[:cut])
    second.restore(list(first.due(some[cut - 1], 0)))
    start = second.next_offset(default=0)
    assert start == cut
    assert before + applied(second, some[start:], start) == expected


@given(seed=st.integers(0, 10**6))
def test_an_instance_ahead_of_another_does_not_see_the_clock_go_back(seed: int) -> None:
    """Restored from checkpoints of different ages, each goes on from its own."""
    some = frames(market(seed, 20))
    early, late = len(some) // 4, len(some) // 2
    first, second = Host(0, hosted("crossover", "rsi")), Host(0, hosted("crossover", "rsi"))
    applied(first, some[:early])
    old = {one.instance: one for one in first.due(some[early], 0)}
    middle = applied(first, some[early:late], early)
    new = {one.instance: one for one in first.due(some[late], 0)}
    expected = [one for one in middle if one.instance == "rsi"] + applied(first, some[late:], late)
    second.restore([old["rsi"], new["crossover"]])
    assert second.next_offset(default=0) == early
    assert applied(second, some[early:], early) == expected


def test_checkpoints_of_crossover_are_small() -> None:
    """They go through Kafka every few seconds, with all instruments of a partition."""
    host = Host(0, {"crossover": HostedInstance.build(row("crossover", fast=5, slow=20), REGISTRY)})
    some = frames(market(3, 40))
    applied(host, some)
    (checkpoint,) = host.due(some[-1], 0)
    assert len(checkpoint.state) < 700 * len(PAIR)
    assert Crossover.name in str(checkpoint.state)
