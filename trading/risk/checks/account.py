"""Checks of the account: position, exposure, open orders, the day's trades and loss."""

from __future__ import annotations

from trading.risk.codes import ReasonCode
from trading.risk.request import Denied, Request, denied


class PositionLimit:
    """A strategy may only hold so much of an instrument."""

    passes_exits = True

    def check(self, request: Request) -> Denied | None:
        """Refuse when the projected position would exceed `max_position_quantity` either way."""
        signal, most = request.signal, request.limits.max_position_quantity
        before = request.exposure.projected(signal.strategy, signal.instrument)
        after = before + request.side.sign * request.quantity
        if abs(after) <= most:
            return None
        message = f"A position of {after} exceeds the limit of {most} for {signal.instrument}"
        return denied(ReasonCode.POSITION_LIMIT, message, position=after, limit=most)


class GrossExposure:
    """Everything together may only be worth so much."""

    passes_exits = True

    def check(self, request: Request) -> Denied | None:
        """Refuse above `max_gross_exposure` rupees of positions, open orders and this one."""
        gross = request.exposure.gross(request.market.marks) + request.notional
        most = request.limits.max_gross_exposure
        if gross <= most:
            return None
        message = f"Gross exposure of {gross} would exceed the limit of {most}"
        return denied(ReasonCode.GROSS_EXPOSURE, message, gross=gross, limit=most)


class OpenOrders:
    """Only so many orders at once."""

    passes_exits = True

    def check(self, request: Request) -> Denied | None:
        """Refuse when `max_open_orders` would be exceeded."""
        count, most = len(request.exposure.open_orders) + len(request.slices), request.limits.max_open_orders
        if count <= most:
            return None
        return denied(
            ReasonCode.OPEN_ORDERS, f"{count} open orders exceed the limit of {most}", count=count, limit=most
        )


class DailyTrades:
    """Only so many orders a day."""

    passes_exits = True

    def check(self, request: Request) -> Denied | None:
        """Refuse when `max_daily_trades` would be exceeded."""
        count, most = request.exposure.trades_today + len(request.slices), request.limits.max_daily_trades
        if count <= most:
            return None
        return denied(
            ReasonCode.DAILY_TRADES, f"{count} orders today exceed the limit of {most}", count=count, limit=most
        )


class DailyLoss:
    """No entry once the day has cost too much."""

    passes_exits = True

    def check(self, request: Request) -> Denied | None:
        """Refuse when today's loss, charges and open positions included, has reached `max_daily_loss`."""
        loss, most = request.exposure.day_loss(request.market.marks), request.limits.max_daily_loss
        if loss < most:
            return None
        return denied(ReasonCode.DAILY_LOSS, f"Today's loss of {loss} has reached {most}", loss=loss, limit=most)
