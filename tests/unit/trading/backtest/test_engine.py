"""A backtest, from tick to money: what is decided, filled, booked, counted."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NoReturn

import pytest

from models.messages.orders import OrderType, Product, Side
from models.messages.signals import Intent
from models.messages.ticks import Tick
from tests.backtest_runs import DAY, START_CASH, Told, at, backtest, buy, hold, plan
from tests.factories import TOKEN, limits
from tests.strategy_runs import OPEN, OTHER, PAIR, build, market
from trading.backtest.engine import MOST_ERRORS
from trading.charges.charges import charges_for, segment_kind
from trading.market.sessions import square_off, trading_day
from trading.strategies.base import Wish
from trading.strategies.momentum import Momentum
from trading.strategies.pairs import Pairs

SQUARE_OFF = (square_off(PAIR[TOKEN], trading_day(OPEN)) or 0) - OPEN  # seconds after the open


def test_an_order_fills_at_the_next_ticks_book_and_pays_its_charges() -> None:
    ticks = [at(0, 1500), at(1, 1500), at(2, 1504), at(3, 1510), at(4, 1511)]
    found = backtest({"told": plan({0: hold(10), 2: hold(0)})}, ticks)
    assert [(one.at - OPEN, one.side, one.quantity, one.price) for one in found.fills] == [
        (1, Side.BUY, 10, Decimal("1500.05")),
        (3, Side.SELL, 10, Decimal("1509.95")),
    ]
    kind, day = segment_kind("EQ", Product.MIS), trading_day(OPEN)
    charges = [
        charges_for(kind, "NSE", side, Decimal(turnover), day).total
        for side, turnover in ((Side.BUY, "15000.50"), (Side.SELL, "15099.50"))
    ]
    assert [one.charges for one in found.fills] == charges
    (trade,) = found.trades
    assert (trade.side, trade.quantity, trade.profit) == (Side.BUY, 10, Decimal("99.00"))
    assert (trade.entered_at - OPEN, trade.left_at - OPEN) == (1, 3)
    assert (found.signals, found.orders, found.denials, found.failures) == (2, 2, {}, {})
    assert found.turnover == Decimal("30100.00")
    assert found.profit == Decimal("99.00") - sum(charges)
    assert found.account.cash == found.account.equity == START_CASH + found.profit
    assert found.ticks == 5


def test_equity_is_noted_at_the_start_and_at_the_end_of_each_minute() -> None:
    ticks = [at(0, 1500), at(1, 1500), at(59, 1520), at(61, 1490), at(130, 1480)]
    found = backtest({"told": plan({0: hold(10)})}, ticks)
    paid = START_CASH - 10 * Decimal("1500.05") - found.fills[0].charges
    assert [(one.at - OPEN, one.equity, one.gross) for one in found.equity] == [
        (0, START_CASH, 0),
        (59, paid + 15_200, 15_200),
        (61, paid + 14_900, 14_900),
        (130, paid + 14_800, 14_800),
    ]
    assert found.drawdown.rupees == 400


def test_a_strategy_that_raises_is_counted_and_the_others_go_on() -> None:
    def fail(_: object) -> NoReturn:
        raise ArithmeticError("no answer")

    ticks = [at(0, 1500), at(1, 1500), at(2, 1500)]
    strategies = {"on tick": Told(fail), "on clock": Told(lambda _: (), fail), "told": plan({0: hold(10)})}
    found = backtest(strategies, ticks)
    assert found.errors == {"on tick: ArithmeticError: no answer": 3, "on clock: ArithmeticError: no answer": 3}
    assert [one.strategy for one in found.fills] == ["told"]


class Speechless(Told):
    """Cannot say what it has seen."""

    def last_seen(self, instrument_token: int) -> NoReturn:
        raise RuntimeError("gone")


@pytest.mark.parametrize(
    ("strategy", "error"),
    [
        (Told(lambda _: (), lambda _: hold(1)), "LookupError: It has not seen NSE:INFY yet"),
        (plan({0: hold(1, token=99)}), "LookupError: 99 is not one of its instruments"),
        (plan({0: ("buy",)}), "AttributeError: 'str' object has no attribute 'instrument_token'"),  # type: ignore[dict-item]
        (Speechless(lambda _: hold(1, token=OTHER)), "RuntimeError: gone"),
    ],
    ids=["unseen", "unknown", "no wish", "cannot say"],
)
def test_a_wish_that_cannot_come_from_anywhere_is_an_error(strategy: Told, error: str) -> None:
    found = backtest({"bad": strategy, "told": plan({0: hold(10)})}, [at(0, 1500), at(1, 1500)])
    assert f"bad: {error}" in found.errors
    assert [one.strategy for one in found.fills] == ["told"]


def test_errors_that_differ_each_time_do_not_fill_the_memory() -> None:
    def fail(one: Tick) -> NoReturn:
        raise ValueError(f"tick {one.sequence}")

    found = backtest({"bad": Told(fail)}, [at(second, 1500) for second in range(MOST_ERRORS + 7)])
    assert len(found.errors) == MOST_ERRORS + 1
    assert found.errors["bad: ValueError"] == 7
    assert sum(found.errors.values()) == MOST_ERRORS + 7


def test_denials_are_counted_by_code_and_cost_nothing() -> None:
    ticks = [at(second, 1500) for second in range(6)]
    wishes = {0: buy(21), 1: buy(21), 2: hold(0), 3: buy(20)}
    found = backtest({"told": plan(wishes)}, ticks, limits=limits(max_order_quantity=20))
    assert found.denials == {"nothing_to_do": 1, "quantity_limit": 2}
    assert (found.signals, found.orders, len(found.fills)) == (4, 1, 1)


def test_a_flip_whose_entry_is_denied_counts_as_denied_and_still_exits() -> None:
    ticks = [at(second, 1500) for second in range(5)]
    found = backtest({"told": plan({0: hold(10), 2: hold(-30)})}, ticks, limits=limits(max_order_quantity=20))
    assert found.denials == {"quantity_limit": 1}
    assert [(one.side, one.quantity) for one in found.fills] == [(Side.BUY, 10), (Side.SELL, 10)]


def test_own_limits_bind_their_strategy_alone() -> None:
    ticks = [at(second, 1500) for second in range(3)]
    strategies = {"bound": plan({0: hold(10)}), "free": plan({0: hold(10)})}
    found = backtest(strategies, ticks, own_limits={"bound": limits(max_order_quantity=5)})
    assert [one.strategy for one in found.fills] == ["free"]
    assert found.denials == {"quantity_limit": 1}


def both_legs(first: int, second: int) -> Sequence[Wish]:
    """Of one group."""
    common = {"intent": Intent.TARGET, "group": "pair"}
    return [
        Wish(instrument_token=TOKEN, target_quantity=first, leg=0, **common),
        Wish(instrument_token=OTHER, target_quantity=second, leg=1, **common),
    ]


def two(second: int) -> list[Tick]:
    return [at(second, 1500), at(second, 3000, token=OTHER)]


@pytest.mark.parametrize(
    ("most", "denials", "fills"),
    [
        (100, {}, [("NSE:INFY", Side.BUY, 10), ("NSE:TCS", Side.SELL, 80)]),
        (50, {"quantity_limit": 1, "group_incomplete": 1}, []),
    ],
)
def test_legs_of_a_group_are_accepted_together_or_not_at_all(
    most: int, denials: dict[str, int], fills: list[tuple[str, Side, int]]
) -> None:
    pair = Told(lambda one: both_legs(10, -80) if (one.sequence, one.instrument_token) == (1, OTHER) else ())
    found = backtest({"pair": pair}, [*two(0), *two(1), *two(2)], limits=limits(max_order_quantity=most))
    assert (found.signals, found.denials) == (2, denials)
    assert [(one.instrument, one.side, one.quantity) for one in found.fills] == fills


def test_the_pairs_strategy_trades_both_legs() -> None:
    found = backtest({"pairs": build(Pairs)}, market(5, minutes=120))
    assert found.errors == {}
    assert {one.instrument for one in found.trades} == {"NSE:INFY", "NSE:TCS"}
    assert found.signals % 2 == 0


def test_intraday_positions_are_left_at_the_square_off_and_not_opened_again() -> None:
    late = SQUARE_OFF
    ticks = [at(0, 1500), at(1, 1500), at(late - 1, 1505), at(late, 1506), at(late + 15, 1507), at(late + 30, 1507)]
    wishes = {0: buy(10), 1: buy(4, product=Product.CNC), late + 15: buy(10)}
    found = backtest({"told": plan(wishes)}, ticks)
    sold = [(one.at - OPEN, one.product, one.quantity, one.price) for one in found.fills if one.side is Side.SELL]
    assert sold == [(late + 15, Product.MIS, 10, Decimal("1506.95"))]
    assert found.denials == {"square_off": 1}
    assert [(one.product, one.quantity) for one in found.account.positions] == [(Product.CNC, 4)]


def test_the_square_off_is_asked_for_once_a_minute_until_it_has_filled() -> None:
    late = SQUARE_OFF
    others = [at(late + second, 3000, token=OTHER) for second in range(0, 121, 10)]
    found = backtest({"told": plan({0: buy(10)})}, [at(0, 1500), at(1, 1500), *others, at(late + 125, 1505)])
    assert (found.signals, found.orders, found.denials) == (4, 4, {})
    assert found.failures == {"cancelled": 2}  # each exit makes room for the next
    assert [one.at - OPEN for one in found.fills] == [1, late + 125]
    assert found.account.positions == ()


def test_a_resting_intraday_order_does_not_hold_the_square_off_back() -> None:
    late = SQUARE_OFF
    limit = {"order_type": OrderType.LIMIT, "limit_price": Decimal(1900)}
    resting = (Wish(instrument_token=TOKEN, intent=Intent.OPEN, side=Side.SELL, quantity=10, **limit),)
    kept = (Wish(instrument_token=TOKEN, intent=Intent.OPEN, side=Side.SELL, quantity=4, product=Product.CNC, **limit),)
    ticks = [at(second, 1500) for second in (0, 1, 2, 3, 4, late, late + 30, late + 60, late + 75)]
    wishes = {0: buy(10), 1: buy(4, product=Product.CNC), 2: resting, 3: kept}
    found = backtest({"told": plan(wishes)}, ticks)
    assert found.failures == {"cancelled": 1}
    assert [(one.at - OPEN, one.product) for one in found.fills if one.side is Side.SELL] == [(late + 75, Product.MIS)]
    assert [one.product for one in found.account.positions] == [Product.CNC]


def test_days_do_not_repeat_each_others_ids() -> None:
    """Ticks are numbered from 1 each day: without a run a day, the second day's fills would be repeats."""
    days = 3
    day = [(0, 1500), (1, 1500), (2, 1504), (3, 1510), (4, 1511)]
    ticks = [at(second, price, day=number) for number in (0, 1, 4) for second, price in day]
    found = backtest({"told": plan({0: hold(10), 2: hold(0)})}, ticks)
    assert (found.orders, len(found.fills), len(found.trades)) == (2 * days, 2 * days, days)
    assert found.denials == {}
    assert {one.profit for one in found.trades} == {Decimal("99.00")}
    assert found.account.realised == days * Decimal("99.00")


def test_counts_of_a_day_begin_anew_and_orders_of_the_day_before_have_ended() -> None:
    resting = buy(10, order_type="LIMIT", limit_price=Decimal(1490))
    ticks = [at(second, 1500, day=day) for day in range(2) for second in range(3)]
    found = backtest({"told": plan({0: resting, 1: buy(1)})}, ticks, limits=limits(max_daily_trades=1))
    assert found.denials == {"daily_trades": 2}
    assert found.failures == {"expired": 1}
    assert found.orders == 2


def test_delivered_shares_pay_the_depository_when_the_last_day_is_over() -> None:
    ticks = [at(0, 1500), at(1, 1500), at(0, 1500, day=4), at(1, 1500, day=4)]
    wishes = {0: buy(10, product=Product.CNC)}

    def on(one: Tick) -> Sequence[Wish]:
        if one.exchange_time == OPEN:
            return wishes[0]
        return hold(0, product=Product.CNC) if one.exchange_time == OPEN + 4 * DAY else ()

    found = backtest({"told": Told(on)}, ticks)
    depository = found.account.charges - sum(one.charges for one in found.fills)
    assert depository > 0
    assert found.equity[-1].equity == found.account.equity == START_CASH + found.profit


def test_nothing_is_a_result_too() -> None:
    found = backtest({"told": plan({})}, [])
    assert (found.ticks, found.profit, found.equity, found.sharpe, found.win_rate) == (0, 0, [], None, None)
    assert found.account.equity == START_CASH


def test_strategies_see_the_clock_before_the_ticks_of_its_second() -> None:
    seen: list[tuple[str, int]] = []
    told = Told(
        lambda one: seen.append(("tick", one.exchange_time - OPEN)) or (),
        lambda clock: seen.append(("clock", clock - OPEN)) or (),
    )
    backtest({"told": told}, [at(0, 1500), at(0, 1500, token=OTHER), at(3, 1500)])
    assert seen == [("clock", 0), ("tick", 0), ("tick", 0), ("clock", 3), ("tick", 3)]


def test_a_real_strategy_trades_a_made_up_market() -> None:
    found = backtest({"momentum": build(Momentum)}, market(1, minutes=60))
    assert len(found.trades) > 3
    assert found.errors == {}
