"""Checks of what is allowed at all just now: the kill switch, agreement with the broker."""

from __future__ import annotations

from models.messages.control import TradingState
from trading.risk.checks.base import Check
from trading.risk.codes import ReasonCode
from trading.risk.request import Denied, Request, denied


class TradingHalted(Check):
    """Nothing new while trading is halted, or in a state nobody knows."""

    code = ReasonCode.TRADING_HALTED

    def check(self, request: Request) -> Denied | None:
        """Refuse entries unless the state is ACTIVE or REDUCING."""
        state = request.market.trading_state
        if state is TradingState.ACTIVE or state is TradingState.REDUCING:
            return None
        return denied(self.code, "Trading is halted", state=state)


class ReducingOnly(Check):
    """Only orders that reduce while trading is winding down."""

    code = ReasonCode.REDUCING_ONLY

    def check(self, request: Request) -> Denied | None:
        """Refuse entries in state REDUCING."""
        state = request.market.trading_state
        if state is not TradingState.REDUCING:
            return None
        message = f"Only orders that reduce are allowed; {request.side.value} {request.quantity} does not"
        return denied(self.code, message, state=state.value, projected=request.standing.projected)


class ReconciliationDifference(Check):
    """No entry while our books and the broker's disagree."""

    code = ReasonCode.RECONCILIATION_DIFFERENCE

    def check(self, request: Request) -> Denied | None:
        """Refuse entries while the account has an open difference."""
        differences = request.market.open_differences
        if differences == 0:
            return None
        return denied(self.code, f"{differences} differences from the broker are open", open=differences)
