"""Everything the checks of a book compare, from one pass over positions and one over open orders.

Nothing is kept between decisions, so nothing can be out of date. Profit, loss and worth are trading.accounting's: the
sums here are its `equity` and `strategy_day_pnl`, taken in the same pass as the rest.
"""

from __future__ import annotations

from decimal import Decimal
from operator import add
from typing import Any

import msgspec

from models.messages.orders import Product
from trading.accounting.account import StrategyBook
from trading.accounting.contracts import Contract
from trading.accounting.position import Marks
from trading.risk.exposure import Exposure
from trading.risk.limits import Limits

ZERO, HUNDRED = Decimal(0), Decimal(100)
NO_BOOK = StrategyBook()
MIS = Product.MIS
# What a position or an entry takes out of the buying power:
PAID = 0  # its whole worth: delivery, and options that are bought
INTRADAY = 1  # a share of its worth: shares that go back the same day
FUTURE = 2  # a share of its worth
WRITTEN = 3  # a share of what the option's strikes are worth


class Figures(msgspec.Struct, frozen=True, gc=False):
    """Rupees. `gross` is the absolute worth of positions and entries, `blocked` what they take of the equity."""

    equity: Decimal
    gross: Decimal
    strategy_gross: Decimal
    blocked: Decimal
    day_loss: Decimal
    strategy_day_loss: Decimal

    @property
    def free(self) -> Decimal:
        """What is left to buy with, rupees."""
        return self.equity - self.blocked


def funding(contract: Contract | None, product: Product, sign: int) -> int:
    """How a position (sign: long or short) or an order (buy or sell) is paid for."""
    if contract is None:
        return INTRADAY if product is MIS else PAID
    if contract.is_future:
        return FUTURE
    return PAID if sign > 0 else WRITTEN


def percents(limits: Limits) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """What of a worth is taken, by funding."""
    return HUNDRED, limits.equity_margin_percent, limits.futures_margin_percent, limits.short_option_margin_percent


def _by_sum(limits: Limits) -> tuple[Decimal, ...]:
    paid, intraday, future, written = percents(limits)
    return paid, paid, intraday, intraday, future, future, written, written


def strikes(contract: Contract | None, quantity: int) -> Decimal:
    """What so many units of an option would be exercised at, rupees."""
    return ZERO if contract is None else abs(quantity) * contract.strike


def figures(exposure: Exposure, strategy: str, limits: Limits, marks: Marks) -> Figures:
    """The figures of an account and of one strategy in it. `limits` are the account's: they hold the margin rates."""
    account, own, others = exposure.account, Part(), Part()
    _collect_positions(exposure, strategy, marks, own, others)
    own.sum_up()
    others.sum_up()
    own_value = sum(own.sums) - own.settled
    equity = account.cash + own_value + sum(others.sums) - others.settled
    own.sums, others.sums = [abs(one) for one in own.sums], [abs(one) for one in others.sums]
    _add_entries(exposure, strategy, own, others)
    taken = [*map(add, own.sums, others.sums)]
    gross = ZERO + sum(taken)
    taken[2 * WRITTEN :] = own.strikes, others.strikes
    book = account.books.get(strategy, NO_BOOK)
    return Figures(
        equity=equity,
        gross=gross,
        strategy_gross=ZERO + sum(own.sums),
        blocked=sum((part * percent for part, percent in zip(taken, _by_sum(limits), strict=True) if part), ZERO) / 100,
        day_loss=account.day_start_equity - equity,
        strategy_day_loss=book.day_start_equity - book.cash - own_value,
    )


class Part:
    """Rupees of the strategy's or of all others' positions: `worths` by funding, of longs and of shorts in turn.

    `settled` is what of futures has been paid in cash, `strikes` what written options would be exercised at.
    """

    __slots__ = ("settled", "strikes", "sums", "worths")

    def __init__(self) -> None:
        self.worths: list[list[Decimal]] = [[] for _ in range(8)]
        self.sums: list[Any] = []
        self.settled = ZERO
        self.strikes = ZERO

    def sum_up(self) -> None:
        """Of nothing the sum is an int: that is faster than Decimal(0)."""
        self.sums = [sum(one) for one in self.worths]


def _collect_positions(exposure: Exposure, strategy: str, marks: Marks, own: Part, others: Part) -> None:
    own_worths, other_worths, mark_of = own.worths, others.worths, marks.get
    for one in exposure.account.positions.values():
        quantity = one.quantity
        if not quantity:
            continue
        is_own, contract = one.strategy == strategy, one.contract
        if contract is None:
            kind = INTRADAY if one.product is MIS else PAID
        else:
            kind = funding(contract, one.product, quantity)
            part = own if is_own else others
            part.settled += one.settled
            if kind == WRITTEN:
                part.strikes += strikes(contract, quantity)
        at = 2 * kind + (quantity < 0)
        mark = mark_of(one.instrument, one.mark)
        worth = one.cost if mark is None else quantity * mark  # accounting's, without the cost of a call
        (own_worths if is_own else other_worths)[at].append(worth)


def _add_entries(exposure: Exposure, strategy: str, own: Part, others: Part) -> None:
    for order in exposure.open_orders.values():
        if order.reduces:
            continue
        part, contract = own if order.strategy == strategy else others, order.contract
        if contract is None:
            kind = INTRADAY if order.product is MIS else PAID
        else:
            kind = funding(contract, order.product, order.side.sign)
            if kind == WRITTEN:
                part.strikes += strikes(contract, order.remaining)
        part.sums[2 * kind] += order.remaining * order.reserve_price
