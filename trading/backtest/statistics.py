"""What a backtest's fills and equity say. Money stays exact; ratios are floats, for people to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from statistics import fmean, stdev

import msgspec

from models.messages.orders import Product, Side
from trading.market.sessions import trading_day

TRADING_DAYS = 252
FEWEST_RETURNS = 2
ZERO = Decimal(0)


class EquityPoint(msgspec.Struct, frozen=True):
    """The account at an event second, rupees. `gross` is the absolute value of all positions."""

    at: int
    equity: Decimal
    gross: Decimal


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """From flat to flat in one instrument, by one strategy. Prices are averages; `profit` is before charges, rupees."""

    strategy: str
    instrument: str
    product: Product
    side: Side
    quantity: int
    entered_at: int
    left_at: int
    entry_price: Decimal
    exit_price: Decimal
    profit: Decimal


class Drawdown(msgspec.Struct, frozen=True):
    """The deepest fall from a high: rupees, fraction of the high, and when it began and was deepest."""

    rupees: Decimal = ZERO
    fraction: float = 0.0
    since: int = 0
    until: int = 0


def drawdown(points: Iterable[EquityPoint]) -> Drawdown:
    """The deepest one, in rupees."""
    deepest, high, since = Drawdown(), None, 0
    for point in points:
        if high is None or point.equity > high:
            high, since = point.equity, point.at
        fall = high - point.equity
        if fall > deepest.rupees:
            fraction = float(fall / high) if high > 0 else 0.0
            deepest = Drawdown(fall, fraction, since, point.at)
    return deepest


def daily_equity(points: Iterable[EquityPoint]) -> dict[date, Decimal]:
    """Equity at the last point of each day."""
    return {trading_day(point.at): point.equity for point in points}


def sharpe(start_cash: Decimal, points: Sequence[EquityPoint]) -> float | None:
    """Annualised Sharpe ratio of daily returns without a riskless rate; None below two days or without variation."""
    closes = [start_cash, *daily_equity(points).values()]
    returns = [float(after / before - 1) for before, after in pairwise(closes) if before > 0]
    if len(returns) < FEWEST_RETURNS:
        return None
    spread = stdev(returns)
    return fmean(returns) / spread * sqrt(TRADING_DAYS) if spread > 0 else None


def win_rate(trades: Sequence[Trade]) -> float | None:
    """Fraction of trades with a profit; None without trades."""
    return sum(one.profit > 0 for one in trades) / len(trades) if trades else None


def profit_factor(trades: Iterable[Trade]) -> float | None:
    """Profits over losses; None without losses."""
    profits = [one.profit for one in trades]
    lost = -sum((one for one in profits if one < 0), ZERO)
    return float(sum((one for one in profits if one > 0), ZERO) / lost) if lost else None


def time_in_market(points: Sequence[EquityPoint]) -> float:
    """Fraction of the points with a position."""
    return sum(point.gross > 0 for point in points) / len(points) if points else 0.0
