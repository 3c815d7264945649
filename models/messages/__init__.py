"""Messages as they flow on topics: msgspec structs, one module per topic family.

`CATALOGUE` names each JSON body: its `type` on the wire and the newest version this code reads.
"""

from __future__ import annotations

import msgspec

from models.messages import control, market, orders, portfolio, protection, reconciliation, signals

CATALOGUE: dict[type[msgspec.Struct], tuple[str, int]] = {
    signals.Signal: ("signal.raised", 1),
    signals.SquareOffDue: ("signal.square_off_due", 1),
    signals.ExitsDue: ("signal.exits_due", 1),
    signals.AcceptedSignal: ("signal.accepted", 1),
    signals.DeniedSignal: ("signal.denied", 1),
    orders.OrderSubmitted: ("order.submitted", 1),
    orders.CancelSubmitted: ("order.cancel_submitted", 1),
    orders.OrderPushed: ("order.pushed", 1),
    orders.UpdatesResumed: ("order.updates_resumed", 1),
    orders.CallAttempted: ("order.call_attempted", 1),
    orders.ClockMoved: ("order.clock_moved", 1),
    orders.OrderUpdate: ("order.update", 1),
    orders.OrderAcknowledged: ("order.acknowledged", 1),
    orders.OrderFilled: ("order.filled", 1),
    orders.OrderFailed: ("order.failed", 1),
    protection.TriggerAsked: ("protection.asked", 1),
    protection.TriggerStands: ("protection.stands", 1),
    protection.TriggerGone: ("protection.gone", 1),
    portfolio.PortfolioSnapshot: ("portfolio.snapshot", 1),
    market.Marks: ("market.marks", 1),
    control.TradingStateChanged: ("control.trading_state", 1),
    control.LimitsChanged: ("control.limits", 1),
    control.StrategiesChanged: ("control.strategies", 1),
    reconciliation.ReconciliationDifference: ("reconciliation.difference", 1),
    reconciliation.ReconciliationRound: ("reconciliation.round", 1),
    reconciliation.ReconciliationAsked: ("control.reconciliation_asked", 1),
    reconciliation.DifferencesAccepted: ("control.differences_accepted", 1),
}

__all__ = ["CATALOGUE"]
