"""Invariants of a backtest over random markets and random wishes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from models.messages.orders import OrderType, Product, Side
from models.messages.signals import Intent
from models.messages.ticks import Tick
from tests.backtest_runs import DAY, START_CASH, Told, backtest
from tests.factories import limits
from tests.strategy_runs import OPEN, OTHER, PAIR, build, market
from trading.backtest.result import Result
from trading.market.sessions import square_off, trading_day
from trading.market.ticks_from_bars import DayState, trade
from trading.matching.rules import MatchingRules
from trading.strategies.base import Wish
from trading.strategies.crossover import Crossover
from trading.strategies.momentum import Momentum

seeds = st.integers(0, 10**6)


class Wild(Told):
    """Wishes at random, the same for the same seed; raises now and then."""

    def __init__(self, seed: int) -> None:
        super().__init__(self.wish)
        self.rng = Random(seed)
        self.wishes = self.raised = 0

    def wish(self, tick: Tick) -> Sequence[Wish]:
        """Nothing, mostly."""
        rng = self.rng
        if rng.random() < 0.03:
            self.raised += 1
            raise ValueError("wild")
        if rng.random() > 0.3:
            return ()
        self.wishes += 1
        values: dict[str, Any] = {
            "instrument_token": tick.instrument_token,
            "product": rng.choice((Product.MIS, Product.CNC)),
        }
        if rng.random() < 0.4:
            return (Wish(**values, intent=Intent.TARGET, target_quantity=rng.randint(-30, 60)),)
        if rng.random() < 0.5:
            values |= {"order_type": OrderType.LIMIT, "limit_price": tick.last_price + rng.randint(-2, 2)}
        elif rng.random() < 0.3:
            values |= {"stop_loss": tick.last_price - 3, "target": tick.last_price + 3}
            return (Wish(**values, intent=Intent.OPEN, side=Side.BUY, quantity=rng.randint(1, 50)),)
        return (Wish(**values, intent=Intent.OPEN, side=rng.choice(list(Side)), quantity=rng.randint(1, 50)),)


def days(seed: int) -> list[Tick]:
    """A Friday and the Monday after."""
    return [tick for day in (1, 4) for tick in market(seed + day, 12, OPEN + day * DAY)]


def steady(before: Sequence[Tick], begin: int, count: int) -> list[Tick]:
    """Trades of both instruments at one price, each 10 s from `begin` on; they follow the ticks `before`."""
    last = {token: max((one.sequence for one in before if one.instrument_token == token), default=0) for token in PAIR}
    return [
        trade(DayState(token, 500, sequence=last[token] + number, volume=10**6), 15_000_000, 5, begin + 10 * number)
        for number in range(count)
        for token in PAIR
    ]


def run(seed: int, ticks: Sequence[Tick] = (), **setup: Any) -> Result:
    strategies = {"wild": Wild(seed), "wilder": Wild(seed + 1), "crossover": build(Crossover, minutes=2)}
    narrow = limits(max_daily_trades=40, max_position_quantity=90)
    return backtest(strategies, ticks or days(seed), limits=narrow, **setup)


@given(seed=seeds)
def test_the_books_balance_at_the_end(seed: int) -> None:
    """Cash is what the fills paid and got, less charges; equity is cash and what is held; profit is their rise."""
    found = run(seed)
    account, held = found.account, defaultdict(int)
    flow = Decimal(0)
    for fill in found.fills:
        held[fill.strategy, fill.instrument, fill.product] += fill.side.sign * fill.quantity
        flow -= fill.side.sign * fill.quantity * fill.price
    depository = account.charges - sum(fill.charges for fill in found.fills)
    assert depository >= 0
    assert account.cash == START_CASH + flow - account.charges
    positions = {(one.strategy, one.instrument, one.product): one.quantity for one in account.positions}
    assert positions == {whose: quantity for whose, quantity in held.items() if quantity}
    worth = sum(one.quantity * one.mark for one in account.positions)
    assert account.equity == account.cash + worth == found.equity[-1].equity
    assert account.equity == START_CASH + account.realised + account.unrealised - account.charges
    assert found.profit == account.equity - START_CASH
    assert found.turnover == sum(fill.quantity * fill.price for fill in found.fills)


@given(seed=seeds)
def test_every_signal_is_accepted_or_denied_and_every_error_counted(seed: int) -> None:
    wild = Wild(seed)
    found = backtest({"wild": wild}, days(seed), limits=limits(max_order_quantity=40))
    assert found.signals == wild.wishes
    assert found.signals <= sum(found.denials.values()) + found.orders
    assert found.errors.get("wild: ValueError: wild", 0) == wild.raised


@given(seed=seeds)
def test_flat_to_flat_the_trades_are_the_realised_profit(seed: int) -> None:
    found = run(seed)
    still_held = {(one.strategy, one.instrument, one.product) for one in found.account.positions}
    by_whose: defaultdict[Any, Decimal] = defaultdict(Decimal)
    for fill in found.fills:
        by_whose[fill.strategy, fill.instrument, fill.product] -= fill.side.sign * fill.quantity * fill.price
    trades: defaultdict[Any, Decimal] = defaultdict(Decimal)
    for one in found.trades:
        trades[one.strategy, one.instrument, one.product] += one.profit
        assert one.entered_at <= one.left_at
        assert one.quantity > 0
    for whose in by_whose.keys() - still_held:
        assert trades[whose] == by_whose[whose]


@settings(max_examples=settings.default.max_examples // 4)
@given(seed=seeds, jitter=st.booleans())
def test_two_runs_are_the_same_to_the_byte(seed: int, jitter: bool) -> None:
    rules = MatchingRules(latency_jitter_ms=3000, partial_percent=40, seed=seed) if jitter else MatchingRules()
    first, second = (msgspec.json.encode(run(seed, rules=rules)) for _ in range(2))
    assert first == second


@given(seed=seeds)
def test_after_the_square_off_nothing_is_held_intraday(seed: int) -> None:
    """Two and a half minutes with ticks of both instruments are enough."""
    day = market(seed, 12)
    due = square_off(PAIR[OTHER], trading_day(OPEN)) or 0
    found = run(seed, day + steady(day, due, 16))
    assert all(one.product is not Product.MIS for one in found.account.positions)


@given(seed=seeds)
def test_a_strategy_that_only_raises_changes_nothing(seed: int) -> None:
    def fail(_: Tick) -> Sequence[Wish]:
        raise OSError

    alone, ticks = {"momentum": build(Momentum)}, market(seed, 15)
    expected = backtest(alone, ticks)
    found = backtest({"bad": Told(fail), "momentum": build(Momentum)}, ticks)
    assert found.errors == {"bad: OSError: ": len(ticks)}
    assert msgspec.structs.replace(found, errors={}) == expected


@given(seed=seeds)
def test_days_follow_each_other_as_if_each_were_alone(seed: int) -> None:
    """With nothing carried overnight, two days give the trades of both, and the profit of both."""
    today = market(seed, 15)
    today += steady(today, OPEN + 15 * 60, 3)  # enough for the last order to fill, and for its exit
    tomorrow = [
        msgspec.structs.replace(one, exchange_time=one.exchange_time + DAY, last_trade_time=one.last_trade_time + DAY)
        for one in today
    ]

    def wishes(one: Tick) -> Sequence[Wish]:
        bought = one.sequence % 6 < 3 and (one.exchange_time - OPEN) % DAY < 10 * 60
        target = 10 if bought else 0
        return (Wish(instrument_token=one.instrument_token, intent=Intent.TARGET, target_quantity=target),)

    one, two = (backtest({"told": Told(wishes)}, ticks) for ticks in (today, today + tomorrow))
    assert not one.account.positions
    assert len(two.fills) == 2 * len(one.fills)
    assert [each.profit for each in two.trades] == 2 * [each.profit for each in one.trades]
    assert two.profit == 2 * one.profit
