"""Statistics against figures worked by hand."""

from __future__ import annotations

from decimal import Decimal
from math import isclose, sqrt

import pytest

from models.messages.orders import Product, Side
from trading.backtest.statistics import (
    Drawdown,
    EquityPoint,
    Trade,
    daily_equity,
    drawdown,
    profit_factor,
    sharpe,
    time_in_market,
    win_rate,
)
from trading.market.sessions import trading_day

NOON = 1_787_207_400  # of a Thursday
DAY = 86_400


def points(*equities: int | str, every: int = 60) -> list[EquityPoint]:
    return [EquityPoint(NOON + number * every, Decimal(one), Decimal(0)) for number, one in enumerate(equities)]


def trade(profit: str) -> Trade:
    return Trade(
        strategy="s", instrument="NSE:INFY", product=Product.MIS, side=Side.BUY, quantity=1, entered_at=1, left_at=2,
        entry_price=Decimal(100), exit_price=100 + Decimal(profit), profit=Decimal(profit),
    )  # fmt: skip


def trades(*profits: str) -> list[Trade]:
    return [trade(one) for one in profits]


def test_the_deepest_drawdown_is_from_its_own_high() -> None:
    found = drawdown(points(100, 120, 90, 130, 110, 125))
    assert found == Drawdown(Decimal(30), 0.25, NOON + 60, NOON + 120)


def test_a_drawdown_goes_on_until_a_new_high() -> None:
    assert drawdown(points(200, 190, 200, 150)) == Drawdown(Decimal(50), 0.25, NOON, NOON + 180)


@pytest.mark.parametrize("equities", [(), (100,), (100, 100, 101)])
def test_what_never_falls_has_no_drawdown(equities: tuple[int, ...]) -> None:
    assert drawdown(points(*equities)) == Drawdown(Decimal(0), 0.0, 0, 0)


def test_a_fall_from_nothing_has_no_fraction() -> None:
    assert drawdown(points(-10, -30)) == Drawdown(Decimal(20), 0.0, NOON, NOON + 60)


def test_a_days_equity_is_its_last() -> None:
    assert daily_equity(points(5, 7)) == {trading_day(NOON): 7}
    assert daily_equity(points(1, 2, 3, every=DAY)) == {
        trading_day(NOON + DAY * number): number + 1 for number in range(3)
    }


def test_sharpe_of_gains_and_losses_of_a_tenth() -> None:
    """Returns 0.1, -0.1, 0.1: mean 1/30, sample deviation 2/sqrt(300); their ratio is sqrt(1/12), a year's sqrt(21)."""
    found = sharpe(Decimal(100), points(110, 99, "108.9", every=DAY))
    assert found is not None
    assert isclose(found, sqrt(21))


def test_sharpe_counts_the_first_day_from_the_start_cash() -> None:
    """Returns 0.1 and 0.3: mean 0.2, sample deviation 0.1 * sqrt(2)."""
    found = sharpe(Decimal(100), points(110, 143, every=DAY))
    assert found is not None
    assert isclose(found, sqrt(2 * 252))


@pytest.mark.parametrize(
    "curve", [[], points(110), points(110, 120), points(110, 121, "133.1", every=DAY)],
    ids=["nothing", "one point", "one day", "no variation"],
)  # fmt: skip
def test_sharpe_needs_two_days_that_differ(curve: list[EquityPoint]) -> None:
    assert sharpe(Decimal(100), curve) is None


def test_win_rate_counts_profits_only() -> None:
    assert win_rate(trades("30", "-10", "0", "5")) == 0.5
    assert win_rate([]) is None


def test_profit_factor_is_profits_over_losses() -> None:
    assert profit_factor(trades("30", "-10", "0", "5")) == 3.5
    assert profit_factor(trades("-10")) == 0.0
    assert profit_factor(trades("10", "0")) is None
    assert profit_factor([]) is None


def test_time_in_market_is_the_share_of_points_with_a_position() -> None:
    held = [EquityPoint(NOON, Decimal(1), Decimal(gross)) for gross in (0, 5, 0, 7)]
    assert time_in_market(held) == 0.5
    assert time_in_market([]) == 0.0
