"""Runs strategies over markets as their host does: the clock first, then the ticks of its second."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any, NamedTuple

import msgspec

from models.messages.ticks import Tick
from tests.factories import AT, TOKEN, instrument
from trading.market.ticks_from_bars import DayState, trade
from trading.strategies.base import Strategy, Wish

OPEN = AT + 1800  # 09:15 IST
OTHER = TOKEN + 256
DAY = 86_400
PAIR = {
    TOKEN: instrument(group="pair"),
    OTHER: instrument(instrument_token=OTHER, exchange_token=OTHER // 256, tradingsymbol="TCS", group="pair"),
}
QUICK: dict[str, dict[str, Any]] = {
    "momentum": {"fast": 3, "slow": 8, "threshold_bps": 1},
    "mean_reversion": {"window": 10, "entry_tenths": 10},
    "rsi": {"period": 5, "oversold": 35, "overbought": 65},
    "low_frequency": {"every_seconds": 90, "hold_seconds": 30},
    "crossover": {"fast": 2, "slow": 5, "allow_short": True},
    "opening_range": {"range_minutes": 4, "allow_short": True},
    "pairs": {"window": 6, "entry_tenths": 12, "exit_tenths": 3, "stop_tenths": 22},
}


class Made(NamedTuple):
    """One wish, and the market's clock when it was made."""

    clock: int
    wish: Wish


def build(kind: type[Strategy], **parameters: Any) -> Strategy:
    """The strategy for both instruments; quick to act unless told otherwise."""
    return kind(kind.parameters_type(**{**QUICK.get(kind.name, {}), **parameters}), PAIR)


def market(seed: int, minutes: int = 40, begin: int = OPEN) -> list[Tick]:
    """Trades and quote changes of both instruments at uneven seconds, some minutes without any, in time order."""
    rng, found = Random(seed), []
    for token in PAIR:
        at, day = 15_000_000, DayState(instrument_token=token, tick_units=500)
        for minute in range(minutes):
            seconds = rng.sample(range(60), rng.choice((0, 2, 4, 7)))
            for second in sorted(seconds):
                at += rng.randint(-60, 60) * 500
                found.append(trade(day, at, rng.choice((0, 5, 90)), begin + 60 * minute + second))
    return sorted(found, key=lambda one: one.exchange_time)


def run(strategy: Strategy, ticks: Iterable[Tick]) -> list[Made]:
    """What the strategy wishes."""
    return [made for one in ticks for made in step(strategy, one)]


def step(strategy: Strategy, tick: Tick) -> list[Made]:
    """What it wishes at one tick, and at the clock before it."""
    clock = tick.exchange_time
    wishes = [*strategy.on_clock(clock), *strategy.on_tick(tick, clock)]
    return [Made(clock, wish) for wish in wishes]


def restored(strategy: Strategy) -> Strategy:
    """Another one with the state of this one."""
    copy = type(strategy)(strategy.parameters, strategy.instruments)
    copy.load_state(strategy.dump_state())
    return copy


def repeated(ticks: Sequence[Tick], seed: int) -> list[Tick]:
    """The same with repeats: some ticks come again at once, as they were or under a new number."""
    rng, found, number = Random(seed), [], dict.fromkeys(PAIR, 0)
    for tick in ticks:
        for _ in range(rng.choice((1, 1, 2, 3))):
            number[tick.instrument_token] += rng.choice((0, 1)) or not number[tick.instrument_token]
            found.append(msgspec.structs.replace(tick, sequence=number[tick.instrument_token]))
    return found


def closes(prices: Sequence[int | None], token: int = TOKEN, begin: int = OPEN, volume: int = 10) -> list[Tick]:
    """One trade in the middle of each minute, none where the price is None."""
    day, found = DayState(instrument_token=token, tick_units=500), []
    for minute, price in enumerate(prices):
        if price is not None:
            found.append(trade(day, price, volume, begin + 60 * minute + 30))
    return found


def targets(made: Iterable[Made]) -> list[tuple[int, int | None]]:
    """Minute since the open and target quantity of each wish."""
    return [((one.clock - OPEN) // 60, one.wish.target_quantity) for one in made]
