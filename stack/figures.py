"""Figures of a running stack, from the metrics its workers serve: what the terminal view and `status` both show."""

from __future__ import annotations

from typing import Any

from faust_app.runtime.topics import APP_PREFIX
from models.messages.control import TradingState
from stack.scrape import Totals

STATES = {state.severity: state.value for state in TradingState}


def waiting(totals: Totals) -> dict[str, int]:
    """Messages that wait, by worker, as the monitor sees them; nothing while it does not answer."""
    groups = totals.by("consumer_lag_messages", "group")
    return {group.rpartition(f"{APP_PREFIX}.")[2]: int(lag) for group, lag in groups.items()}


def tick_age(totals: Totals, now: float) -> float | None:
    """Seconds since the last tick; None before the first."""
    last = totals.highest("feed_last_tick_timestamp_seconds")
    return max(0.0, now - last) if last else None


def trading_states(totals: Totals) -> dict[str, str]:
    """What each broker may send."""
    return {broker: STATES[int(severity)] for broker, severity in totals.by("trading_state", "broker").items()}


def profits(totals: Totals) -> dict[str, float]:
    """Rupees gained by each broker since its account began, charges included."""
    return {broker: _profit(totals, broker) for broker in totals.by("equity_rupees", "broker")}


def _profit(totals: Totals, broker: str) -> float:
    gained = totals.sum("pnl_realised_rupees", broker=broker) + totals.sum("pnl_unrealised_rupees", broker=broker)
    return gained - totals.sum("pnl_charges_rupees", broker=broker)


def of_worker(totals: Totals, worker: str, now: float) -> dict[str, Any]:
    """What `status` shows beside a worker's readiness; None where a figure is not this worker's."""
    stage, _, broker = worker.partition(".")
    age = tick_age(totals, now) if stage == "market_feed" else None
    profit = profits(totals).get(broker) if stage == "portfolio_manager" else None
    return {
        "lag": waiting(totals).get(worker),
        "last_tick_age_seconds": None if age is None else round(age, 1),
        "trading_state": trading_states(totals).get(broker) if stage == "risk_manager" else None,
        "pnl": None if profit is None else round(profit, 2),
    }
