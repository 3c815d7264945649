"""What every built-in strategy keeps to: silent until warm, deaf to repeats, the same after a restart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.messages.signals import Intent
from models.messages.ticks import Tick
from tests.factories import TOKEN
from tests.strategy_runs import DAY, OPEN, OTHER, PAIR, QUICK, Made, build, market, repeated, restored, run, step
from trading.strategies.base import Strategy
from trading.strategies.pairs import Pairs
from trading.strategies.registry import BUILT_IN

seeds = st.integers(0, 10**6)
every_strategy = pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.name)


def days(seed: int) -> list[Tick]:
    """Two sessions."""
    return market(seed, 30) + market(seed + 1, 30, OPEN + DAY)


def changed(token: int, seen: Sequence[Tick]) -> int:
    """Ticks of an instrument that show a trade, another price or another second."""
    own = [(one.exchange_time, one.volume, one.last_price_units) for one in seen if one.instrument_token == token]
    return sum(number == 0 or one != own[number - 1] for number, one in enumerate(own))


def minutes(token: int, seen: Sequence[Tick], clock: int) -> set[int]:
    """Minutes of an instrument that are over and had a tick."""
    return {one.exchange_time // 60 for one in seen if one.instrument_token == token} - {clock // 60}


def after(second: int) -> Callable[[int, Sequence[Tick], int], bool]:
    return lambda token, seen, clock: clock >= second


WARM: dict[str, Callable[[int, Sequence[Tick], int], bool]] = {
    "momentum": lambda token, seen, clock: changed(token, seen) >= QUICK["momentum"]["slow"],
    "mean_reversion": lambda token, seen, clock: changed(token, seen) >= QUICK["mean_reversion"]["window"],
    "rsi": lambda token, seen, clock: changed(token, seen) > QUICK["rsi"]["period"],
    "low_frequency": lambda token, seen, clock: changed(token, seen) > 1,
    "crossover": lambda token, seen, clock: len(minutes(token, seen, clock)) >= QUICK["crossover"]["slow"],
    "opening_range": after(OPEN + 60 * (QUICK["opening_range"]["range_minutes"] + 1)),
    "pairs": lambda token, seen, clock: (
        len(minutes(TOKEN, seen, clock) & minutes(OTHER, seen, clock)) >= QUICK["pairs"]["window"]
    ),
}


@every_strategy
@given(seed=seeds)
def test_nothing_is_wished_before_the_warm_up_is_over(kind: type[Strategy], seed: int) -> None:
    strategy, ticks = build(kind), market(seed)
    for number, tick in enumerate(ticks):
        for made in step(strategy, tick):
            assert WARM[kind.name](made.wish.instrument_token, ticks[: number + 1], made.clock)


@every_strategy
@given(seed=seeds)
def test_repeated_ticks_wish_nothing_and_change_nothing(kind: type[Strategy], seed: int) -> None:
    ticks = days(seed)
    once, again = build(kind), build(kind)
    assert run(again, repeated(ticks, seed)) == run(once, ticks)


@every_strategy
@given(seed=seeds)
def test_the_last_tick_may_come_for_ever(kind: type[Strategy], seed: int) -> None:
    strategy, ticks = build(kind), market(seed)
    run(strategy, ticks)
    assert run(strategy, [ticks[-1]] * 50) == []


@every_strategy
@given(seed=seeds, data=st.data())
def test_a_strategy_restored_anywhere_wishes_as_if_never_stopped(
    kind: type[Strategy], seed: int, data: st.DataObject
) -> None:
    ticks = days(seed)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(ticks)), max_size=4)))
    strategy, found = build(kind), []
    for first, end in zip([0, *cuts], [*cuts, len(ticks)], strict=True):
        strategy = restored(strategy)
        found += run(strategy, ticks[first:end])
    assert found == run(build(kind), ticks)


@every_strategy
@given(seed=seeds)
def test_the_same_ticks_give_the_same_wishes(kind: type[Strategy], seed: int) -> None:
    first, second = build(kind), build(kind)
    assert run(first, days(seed)) == run(second, days(seed))
    assert first.dump_state() == second.dump_state()


@every_strategy
def test_every_strategy_does_act_in_these_markets(kind: type[Strategy]) -> None:
    """Else the properties above would hold for nothing."""
    acting = [seed for seed in range(20) if run(build(kind), days(seed))]
    assert len(acting) > 10


@every_strategy
@given(seed=seeds)
def test_wishes_are_for_instruments_it_has_and_has_seen(kind: type[Strategy], seed: int) -> None:
    strategy = build(kind)
    for tick in market(seed):
        for made in step(strategy, tick):
            token = made.wish.instrument_token
            assert token in PAIR
            assert token == tick.instrument_token or strategy.last_seen(token) is not None


@pytest.mark.parametrize("kind", [one for one in BUILT_IN if one is not Pairs], ids=lambda kind: kind.name)
@given(seed=seeds)
def test_instruments_do_not_disturb_each_other(kind: type[Strategy], seed: int) -> None:
    """But for the clock: a bar may close earlier when another instrument's tick moves it. Its wish is the same."""
    ticks, (one, other) = market(seed), (build(kind), build(kind))
    for strategy in (one, other):
        strategy.on_clock(OPEN)
    alone = run(one, [tick for tick in ticks if tick.instrument_token == TOKEN])
    both = [made for made in run(other, ticks) if made.wish.instrument_token == TOKEN]
    assert [made.wish for made in both][: len(alone)] == [made.wish for made in alone]
    assert all(early.clock <= late.clock for early, late in zip(both, alone, strict=False))


@given(seed=seeds)
def test_a_pair_is_always_wished_for_as_a_whole(seed: int) -> None:
    """Two legs of one group, on opposite sides or both flat, and never the same group twice."""
    made = run(build(Pairs), days(seed))
    groups: dict[str, list[Made]] = {}
    for one in made:
        groups.setdefault(one.wish.group, []).append(one)
    held = False
    for legs in groups.values():
        assert [one.wish.instrument_token for one in legs] == [TOKEN, OTHER]
        assert [one.wish.leg for one in legs] == [0, 1]
        assert {one.wish.intent for one in legs} == {Intent.TARGET}
        first, second = (one.wish.target_quantity or 0 for one in legs)
        assert first * second < 0 or first == second == 0
        assert held is (first == 0)
        held = first != 0
