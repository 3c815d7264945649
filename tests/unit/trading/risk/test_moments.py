"""Checks that look at time: windows reach both ways, exits are let through, other wishes do not count."""

from __future__ import annotations

from decimal import Decimal

import pytest

from models.messages.control import TradingState
from models.messages.orders import OrderType, Product, Side
from tests.factories import AT, exposure, limits, market, origin
from tests.unit.trading.risk.asking import KEY, ask, close, entry, holding
from trading.market.sessions import Phase
from trading.risk.exposure import accepted_key

BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize(("second", "is_duplicate"), [(AT - 3, False), (AT - 2, True), (AT + 2, True), (AT + 3, False)])
def test_the_window_of_duplicates_reaches_both_ways(second: int, is_duplicate: bool) -> None:
    found = exposure()
    found.last_accepted[accepted_key("momentum", KEY, BUY)] = second
    assert (ask(entry(), found, limits(duplicate_window_seconds=3)) == "duplicate_signal") is is_duplicate


def test_another_side_strategy_or_an_exit_is_no_duplicate() -> None:
    found = holding(10)
    for side in Side:
        found.last_accepted[accepted_key("momentum", KEY, side)] = AT
    assert ask(entry(), found) == "duplicate_signal"
    assert ask(close(), found) == [(SELL, 10, True)]
    assert ask(entry(strategy="rsi"), found) == [(BUY, 10, False)]
    del found.last_accepted[accepted_key("momentum", KEY, BUY)]
    assert ask(entry(), found) == [(BUY, 10, False)]


EXIT_PASSES = [
    {"trading_state": TradingState.HALTED},
    {"trading_state": TradingState.REDUCING},
    {"trading_state": None},
    {"square_off": AT - 100},
    {"clock": AT + 10_000},
    {"open_differences": 7},
    {"price_band": (Decimal(1), Decimal(2))},
    {"previous_close": Decimal(1)},
]


@pytest.mark.parametrize("circumstances", EXIT_PASSES, ids=str)
def test_an_exit_at_the_market_passes_what_stops_an_entry(circumstances: dict[str, object]) -> None:
    assert ask(close(), holding(10), picture=market(**circumstances)) == [(SELL, 10, True)]
    assert isinstance(ask(entry(), picture=market(**circumstances)), str)


def test_an_exit_passes_every_limit_of_the_book() -> None:
    tight = limits(
        max_order_quantity=1,
        max_position_quantity=1,
        max_order_notional=Decimal(1),
        max_gross_exposure=Decimal(1),
        max_open_orders=1,
        max_daily_trades=1,
        max_order_rate=1,
        max_daily_loss=Decimal(1),
        max_drawdown_percent=Decimal("0.0001"),
    )
    found = holding(10)
    found.account.cash = Decimal(-1)
    found.accepted_today = {"momentum": 100}
    found.accepted_at = {AT: {"momentum": 100}}
    assert ask(close(), found, tight) == [(SELL, 10, True)]


def test_an_exit_has_a_session_and_a_price_like_any_order() -> None:
    far = close(order_type=OrderType.LIMIT, limit_price=Decimal(1000))
    near = close(order_type=OrderType.LIMIT, limit_price=Decimal(1490))
    band = market(price_band=(Decimal(1495), Decimal(1600)))
    assert ask(far, holding(10), limits(price_band_percent=Decimal(99))) == "price_collar"
    assert ask(near, holding(10), picture=band) == "price_band"
    assert ask(near, holding(10)) == [(SELL, 10, True)]
    assert ask(close(), holding(10), picture=market(phase=Phase.CLOSED)) == "market_closed"


def test_an_exit_at_the_market_needs_no_price() -> None:
    """Getting out must be possible on a tick that has none."""
    assert ask(close(origin=origin(price=Decimal(0))), holding(10)) == [(SELL, 10, True)]
    assert ask(close(origin=origin(price=Decimal(-3))), holding(10)) == [(SELL, 10, True)]


def test_a_limit_price_that_rounds_to_nothing_is_denied_also_to_exits() -> None:
    wish = close(order_type=OrderType.LIMIT, limit_price=Decimal("0.04"), origin=origin(price=Decimal(0)))
    assert ask(wish, holding(-10)) == "tick_size"  # buying back rounds down


def test_an_exit_that_would_rest_is_refused_from_the_square_off_on() -> None:
    """What it holds back would look closed to the square-off, and stay."""
    late, limit = market(square_off=AT), {"order_type": OrderType.LIMIT, "limit_price": Decimal(1500)}
    trigger = {"order_type": OrderType.SL_M, "trigger_price": Decimal(1400)}
    assert ask(close(), holding(10), picture=late) == [(SELL, 10, True)]
    for resting in (limit, trigger):
        assert ask(close(**resting), holding(10), picture=late) == "square_off"
        assert ask(close(**resting), holding(10), picture=market(square_off=AT + 1)) == [(SELL, 10, True)]
        cnc = {"product": Product.CNC}
        assert ask(close(**resting, **cnc), holding(10, **cnc), picture=late) == [(SELL, 10, True)]


def test_intraday_entries_end_with_the_square_off_and_others_do_not() -> None:
    late = market(square_off=AT)
    assert ask(entry(), picture=late) == "square_off"
    assert ask(entry(product=Product.CNC), picture=late) == [(BUY, 10, False)]
    assert ask(entry(side=SELL, quantity=15), holding(10), picture=late) == [(SELL, 10, True)]
    assert ask(entry(), picture=market(square_off=None)) == [(BUY, 10, False)]
    assert ask(entry(), picture=market(square_off=AT, clock=AT - 1)) == [(BUY, 10, False)]
