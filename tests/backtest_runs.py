"""Backtests over markets made up in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, ClassVar

import msgspec

from models.messages.orders import Side
from models.messages.signals import Intent
from models.messages.ticks import Tick
from tests.factories import TOKEN, limits, tick
from tests.strategy_runs import OPEN, PAIR
from trading.backtest.engine import Backtest, Setup
from trading.backtest.result import Result
from trading.strategies.base import Parameters, Seen, Strategy, Wish

START_CASH = Decimal(1_000_000)
DAY = 86_400
OnTick = Callable[[Tick], Sequence[Wish]]


class NoState(msgspec.Struct):
    """Nothing to remember."""


class Told(Strategy):
    """Does what `on_tick` (and, at the clock, `at_clock`) tells it."""

    name: ClassVar[str] = "told"
    summary: ClassVar[str] = "Does as it is told"
    parameters_type = Parameters
    state_type = NoState

    def __init__(self, on_tick: OnTick, at_clock: Callable[[int], Sequence[Wish]] = lambda _: ()) -> None:
        super().__init__(Parameters(), PAIR)
        self._on_tick, self._at_clock = on_tick, at_clock
        self._seen: dict[int, Seen] = {}

    def on_tick(self, tick: Tick, clock: int) -> Sequence[Wish]:
        """Remember it, then do as told."""
        self._seen[tick.instrument_token] = Seen(tick.sequence, tick.last_price_units)
        return self._on_tick(tick)

    def on_clock(self, clock: int) -> Sequence[Wish]:
        """Do as told."""
        return self._at_clock(clock)

    def last_seen(self, instrument_token: int) -> Seen | None:
        """The last tick."""
        return self._seen.get(instrument_token)


def at(second: int, rupees: int | str, token: int = TOKEN, day: int = 0, **values: Any) -> Tick:
    """A tick so many seconds after the open; its number is the second's, from 1 each day."""
    when = OPEN + day * DAY + second
    units = int(Decimal(rupees) * 10_000)
    named = {"instrument_token": token, "volume": 1000 * (second + 1), **values}
    return tick(price=units, sequence=second + 1, at=when, **named)


def hold(quantity: int, token: int = TOKEN, **values: Any) -> tuple[Wish]:
    """The wish to hold so many."""
    return (Wish(instrument_token=token, intent=Intent.TARGET, target_quantity=quantity, **values),)


def buy(quantity: int, token: int = TOKEN, **values: Any) -> tuple[Wish]:
    """The wish to buy so many."""
    return (Wish(instrument_token=token, intent=Intent.OPEN, side=Side.BUY, quantity=quantity, **values),)


def plan(wishes: Mapping[int, Sequence[Wish]]) -> Told:
    """A strategy that answers the ticks with these numbers of the first instrument, each day."""
    return Told(lambda one: wishes.get(one.sequence - 1, ()) if one.instrument_token == TOKEN else ())


def backtest(strategies: Mapping[str, Strategy], ticks: Iterable[Tick], **setup: Any) -> Result:
    """Run them over the ticks, which are in time order."""
    values: dict[str, Any] = {"instruments": PAIR, "limits": limits(), "start_cash": START_CASH}
    one = Backtest(Setup(strategies=strategies, **{**values, **setup}))
    for clock, group in groupby(ticks, key=lambda each: each.exchange_time):
        one.on_second(clock, list(group))
    return one.finish()
