"""What a backtest writes down while it runs, and the result made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from models.messages.orders import OrderFilled, Product, Side
from models.messages.portfolio import PortfolioSnapshot, SnapshotCause
from trading.accounting.account import Account
from trading.accounting.snapshot import snapshot
from trading.backtest.statistics import (
    Drawdown,
    EquityPoint,
    Trade,
    drawdown,
    profit_factor,
    sharpe,
    time_in_market,
    win_rate,
)

ZERO = Decimal(0)
PAISA = Decimal("0.0001")


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One fill, with the charges it brought; rupees and units."""

    at: int
    strategy: str
    instrument: str
    product: Product
    side: Side
    quantity: int
    price: Decimal
    charges: Decimal


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What happened. Money in rupees, exact; times in epoch seconds; ratios are floats, None where there is none."""

    ticks: int
    signals: int
    denials: dict[str, int]
    orders: int
    failures: dict[str, int]
    fills: list[Fill]
    trades: list[Trade]
    equity: list[EquityPoint]
    account: PortfolioSnapshot
    turnover: Decimal
    profit: Decimal
    drawdown: Drawdown
    sharpe: float | None
    win_rate: float | None
    profit_factor: float | None
    time_in_market: float
    errors: dict[str, int]


class _Holding(msgspec.Struct):
    """A position on its way from flat to flat."""

    side: Side
    entered_at: int
    quantity: int = 0
    entered: int = 0
    entry_value: Decimal = ZERO
    exit_value: Decimal = ZERO


class Recorder:
    """Counts, fills, trades and the equity curve."""

    def __init__(self, start_cash: Decimal) -> None:
        self.signals = self.orders = 0
        self.denials: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self._start_cash = start_cash
        self._fills: list[Fill] = []
        self._trades: list[Trade] = []
        self._points: list[EquityPoint] = []
        self._holdings: dict[tuple[str, str, Product], _Holding] = {}

    def fill(self, filled: OrderFilled, charges: Decimal) -> None:
        """Note a fill that was booked."""
        order = filled.order
        one = Fill(
            at=filled.event_time,
            strategy=order.strategy,
            instrument=order.instrument,
            product=order.product,
            side=order.side,
            quantity=filled.quantity,
            price=filled.price,
            charges=charges,
        )
        self._fills.append(one)
        self._follow(one, one.quantity)

    def _follow(self, fill: Fill, quantity: int) -> None:
        """Move the holding; what goes through zero ends one trade and begins the next."""
        key = fill.strategy, fill.instrument, fill.product
        held = self._holdings.get(key)
        if held is None:
            held = self._holdings[key] = _Holding(fill.side, fill.at)
        if held.side is fill.side:
            held.quantity += quantity
            held.entered += quantity
            held.entry_value += quantity * fill.price
            return
        closing = min(quantity, held.quantity)
        held.quantity -= closing
        held.exit_value += closing * fill.price
        if not held.quantity:
            del self._holdings[key]
            self._trades.append(_trade(fill, held))
        if quantity > closing:
            self._follow(fill, quantity - closing)

    def equity(self, at: int, equity: Decimal, gross: Decimal) -> None:
        """Note the account's worth."""
        self._points.append(EquityPoint(at, equity, gross))

    def result(self, account: Account, *, ticks: int, errors: Mapping[str, int]) -> Result:
        """What happened up to now."""
        at = self._points[-1].at if self._points else 0
        final = snapshot(account, {}, SnapshotCause.MARK, at)
        return Result(
            ticks=ticks,
            signals=self.signals,
            denials=dict(sorted(self.denials.items())),
            orders=self.orders,
            failures=dict(sorted(self.failures.items())),
            fills=self._fills,
            trades=self._trades,
            equity=self._points,
            account=final,
            turnover=sum((one.quantity * one.price for one in self._fills), ZERO),
            profit=final.equity - final.start_cash,
            drawdown=drawdown(self._points),
            sharpe=sharpe(self._start_cash, self._points),
            win_rate=win_rate(self._trades),
            profit_factor=profit_factor(self._trades),
            time_in_market=time_in_market(self._points),
            errors=dict(sorted(errors.items())),
        )


def _trade(last: Fill, held: _Holding) -> Trade:
    profit = (held.exit_value - held.entry_value) * held.side.sign
    return Trade(
        strategy=last.strategy,
        instrument=last.instrument,
        product=last.product,
        side=held.side,
        quantity=held.entered,
        entered_at=held.entered_at,
        left_at=last.at,
        entry_price=(held.entry_value / held.entered).quantize(PAISA),
        exit_price=(held.exit_value / held.entered).quantize(PAISA),
        profit=profit,
    )
