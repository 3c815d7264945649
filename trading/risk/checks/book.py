"""Checks of a whole book: the account's figures against the account's limits, the strategy's against the strategy's."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Decimal
from typing import ClassVar

from trading.risk.checks.base import Check, unusable
from trading.risk.codes import ReasonCode
from trading.risk.figures import WRITTEN, funding, percents, strikes
from trading.risk.limits import MARGIN_LIMITS, Limits
from trading.risk.request import Denied, Request, denied

Amount = int | Decimal


class BookCheck(Check):
    """An amount with one limit for the account and one for the strategy.

    When `is_share`, the strategy's amount is part of the account's: a limit that is not lower cannot be exceeded first.
    """

    what: ClassVar[str]
    is_share: ClassVar[bool] = True

    def check(self, request: Request) -> Denied | None:
        """Refuse when an amount, this order included, exceeds its limit."""
        (name,) = self.limits
        most, own = getattr(request.account_limits, name), getattr(request.limits, name)
        if not most or not own:
            return unusable(request.limits if most else request.account_limits, self)
        refusal = self._compare("account", self.of_account(request), most)
        if refusal is not None or (self.is_share and own >= most):
            return refusal
        return self._compare(request.signal.strategy, self.of_strategy(request), own)

    def _compare(self, book: str, found: Amount, most: Amount) -> Denied | None:
        if not self.exceeds(found, most):
            return None
        message = f"{self.what} of {found} against a limit of {most} ({book})"
        return denied(self.code, message, found=found, limit=most, book=book)

    def exceeds(self, found: Amount, most: Amount) -> bool:
        """True when the limit refuses the amount."""
        return found > most

    @abstractmethod
    def of_account(self, request: Request) -> Amount:
        """The account's amount with this order."""

    @abstractmethod
    def of_strategy(self, request: Request) -> Amount:
        """The strategy's amount with this order."""


class GrossExposure(BookCheck):
    """Positions, entries that work and this order may only be worth so much."""

    code = ReasonCode.GROSS_EXPOSURE
    limits = ("max_gross_exposure",)
    what = "Gross exposure"

    def of_account(self, request: Request) -> Amount:
        """Rupees, absolute."""
        return request.figures.gross + request.notional

    def of_strategy(self, request: Request) -> Amount:
        """Rupees, absolute."""
        return request.figures.strategy_gross + request.notional


class OpenOrders(BookCheck):
    """Only so many orders at once."""

    code = ReasonCode.OPEN_ORDERS
    limits = ("max_open_orders",)
    what = "A number of open orders"

    def of_account(self, request: Request) -> Amount:
        """Orders, each slice is one."""
        return len(request.exposure.open_orders) + request.orders

    def of_strategy(self, request: Request) -> Amount:
        """Orders, each slice is one."""
        strategy = request.signal.strategy
        return sum(one.strategy == strategy for one in request.exposure.open_orders.values()) + request.orders


class DailyTrades(BookCheck):
    """Only so many orders a day."""

    code = ReasonCode.DAILY_TRADES
    limits = ("max_daily_trades",)
    what = "A number of orders today"

    def of_account(self, request: Request) -> Amount:
        """Orders accepted."""
        return sum(request.exposure.accepted_today.values()) + request.orders

    def of_strategy(self, request: Request) -> Amount:
        """Orders accepted."""
        return request.exposure.accepted_today.get(request.signal.strategy, 0) + request.orders


class DailyLoss(BookCheck):
    """No entry once the day has cost too much, charges and open positions included."""

    code = ReasonCode.DAILY_LOSS
    limits = ("max_daily_loss",)
    what = "A loss today"
    is_share = False

    def exceeds(self, found: Amount, most: Amount) -> bool:
        """Also what has just reached it."""
        return found >= most

    def of_account(self, request: Request) -> Amount:
        """Rupees below the equity the day began with."""
        return request.figures.day_loss

    def of_strategy(self, request: Request) -> Amount:
        """Rupees the strategy has lost since the day began."""
        return request.figures.strategy_day_loss


class OrderRate(Check):
    """Only so many orders within moments of event time."""

    code = ReasonCode.ORDER_RATE
    limits = ("max_order_rate", "order_rate_seconds")

    def check(self, request: Request) -> Denied | None:
        """Refuse when the account's or the strategy's `max_order_rate` would be exceeded."""
        refusal = self._compare(request, request.account_limits, None)
        if refusal is not None or request.limits is request.account_limits:
            return refusal
        return self._compare(request, request.limits, request.signal.strategy)

    def _compare(self, request: Request, limits: Limits, strategy: str | None) -> Denied | None:
        most, seconds, book = limits.max_order_rate, limits.order_rate_seconds, strategy or "account"
        if not most or not seconds:
            return unusable(limits, self)
        count = request.orders + request.exposure.orders_within(seconds, request.signal.origin.clock, strategy)
        if count <= most:
            return None
        message = f"{count} orders within {seconds} s exceed the limit of {most} ({book})"
        return denied(self.code, message, found=count, limit=most, seconds=seconds, book=book)


class PositionLimit(Check):
    """A strategy may only hold so much of an instrument."""

    code = ReasonCode.POSITION_LIMIT
    limits = ("max_position_quantity",)

    def check(self, request: Request) -> Denied | None:
        """Refuse when the position would exceed `max_position_quantity` should nothing of the other side fill."""
        signal, most = request.signal, request.limits.max_position_quantity
        if not most:
            return unusable(request.limits, self)
        after = request.everywhere.extreme(request.side) + request.side.sign * (
            request.quantity_before + request.quantity
        )
        if abs(after) <= most:
            return None
        message = f"A position of {after} exceeds the limit of {most} for {signal.instrument}"
        return denied(self.code, message, position=after, limit=most)


class BuyingPower(Check):
    """No more than the account's cash and margins pay for."""

    code = ReasonCode.BUYING_POWER
    limits = MARGIN_LIMITS

    def check(self, request: Request) -> Denied | None:
        """Refuse what needs more than the equity that positions and entries have not taken yet."""
        limits = request.account_limits
        if not limits.unusable.keys().isdisjoint(self.limits):
            return unusable(limits, self)
        contract = request.contract
        kind = funding(contract, request.signal.product, request.side.sign)
        worth = strikes(contract, request.quantity) if kind == WRITTEN else request.notional
        need, free = worth * percents(limits)[kind] / 100, request.figures.free
        if need <= free:
            return None
        return denied(self.code, f"The order takes {need} rupees, {free} are free", need=need, limit=free)


class MaxDrawdown(Check):
    """No entry once the account has lost too much of the most it has been worth."""

    code = ReasonCode.MAX_DRAWDOWN
    limits = ("max_drawdown_percent",)

    def check(self, request: Request) -> Denied | None:
        """Refuse when the equity is `max_drawdown_percent` below the account's high-water mark."""
        percent, highest = request.account_limits.max_drawdown_percent, request.exposure.account.high_water_mark
        if not percent:
            return unusable(request.account_limits, self)
        lost, most = highest - request.figures.equity, highest * percent / 100
        if lost < most:
            return None
        message = f"The account is {lost} below its highest equity of {highest}, {percent} % are {most}"
        return denied(self.code, message, drawdown=lost, limit=most)
