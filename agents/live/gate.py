"""The last check of an order, right before its call. It looks at the wall clock, and says so in the denial."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agents.live.breaker import Breaker
from agents.live.preflight.watch import Preflight
from brokers.zerodha.objections import objection
from brokers.zerodha.session import SessionState, SessionView
from faust_app.runtime.lease import Lease
from models.messages.control import TradingState
from models.messages.orders import PlannedOrder
from trading.market.instruments import InstrumentRegistry
from trading.market.sessions import live_refusal, trading_day

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Gate:
    """What has to be so. Exits need a session, and to be such that the broker may take them: they pass all else."""

    state_of: Callable[[str], TradingState]  # of a strategy
    session: SessionView
    lease: Lease
    breaker: Breaker
    disagreement: Callable[[PlannedOrder], str]  # between our books and the broker's, in words
    is_stored: Callable[[], bool]  # PostgreSQL, the audit trail, can be written
    now: Callable[[], float]
    most_age_seconds: float
    registry: Callable[[], InstrumentRegistry]
    preflight: Preflight

    def refusal(self, order: PlannedOrder) -> str:
        """Why the order is not to be sent now; empty when it is."""
        if self.session.state is not SessionState.VALID:
            return self.session.reason
        objected = objection(order, self.registry(), trading_day(int(self.now())))
        return objected if objected or order.reduces else self._refusal_of_entry(order)

    def _refusal_of_entry(self, order: PlannedOrder) -> str:
        state = self.state_of(order.strategy)
        if state is not TradingState.ACTIVE:
            return f"Trading is {state.value}"
        age = self.now() - order.received_ns / NANOSECONDS
        if age > self.most_age_seconds:
            return f"The tick behind it came {age:.1f} s ago by the wall clock; the limit is {self.most_age_seconds} s"
        if not self.lease.value:
            return "This process does not run the account"
        if not self.is_stored():
            return "PostgreSQL does not answer"
        if self.breaker.is_open:
            return "The broker has failed several times in a row"
        disagreement = self.disagreement(order)
        if disagreement:
            return disagreement
        unready = self.preflight.refusal()
        if unready:
            return unready
        exchange = order.instrument.partition(":")[0]
        return live_refusal(trading_day(order.event_time), exchange) or ""
