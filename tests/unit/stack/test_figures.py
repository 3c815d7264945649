"""What `status` and the terminal view say beside readiness, each figure with the worker it belongs to."""

from __future__ import annotations

import pytest

from stack.figures import of_worker
from stack.scrape import Samples, Totals

NOW = 1_000.0
NOTHING = {"lag": None, "last_tick_age_seconds": None, "trading_state": None, "pnl": None}


@pytest.fixture
def totals() -> Totals:
    """A stack in a namespace, with two brokers."""
    lag, broker = "alpha_panda_consumer_lag_messages", (("account", "main"), ("broker", "paper"))
    groups = {"ledger": 4, "risk_manager.paper": 2, "risk_manager.zerodha": 1}
    found: Samples = {(lag, (("group", f"x.alpha-panda.{name}"),)): count for name, count in groups.items()}
    found |= {
        ("alpha_panda_feed_last_tick_timestamp_seconds", ()): NOW - 2.25,
        ("alpha_panda_trading_state", (("broker", "paper"),)): 1.0,
        ("alpha_panda_trading_state", (("broker", "zerodha"),)): 2.0,
        ("alpha_panda_equity_rupees", broker): 1_000_000.0,
        ("alpha_panda_pnl_realised_rupees", broker): -50.0,
        ("alpha_panda_pnl_unrealised_rupees", broker): 30.0,
        ("alpha_panda_pnl_charges_rupees", broker): 7.255,
    }
    created = Totals()
    created.add("all", found)
    return created


@pytest.mark.parametrize(
    ("worker", "figures"),
    [
        ("market_feed", {"last_tick_age_seconds": 2.2}),
        ("ledger", {"lag": 4}),
        ("risk_manager.paper", {"lag": 2, "trading_state": "reducing"}),
        ("risk_manager.zerodha", {"lag": 1, "trading_state": "halted"}),
        ("portfolio_manager.paper", {"pnl": -27.25}),
        ("portfolio_manager.zerodha", {}),
        ("monitor", {}),
    ],
)
def test_a_figure_stands_beside_the_worker_it_is_about(totals: Totals, worker: str, figures: dict[str, object]) -> None:
    assert of_worker(totals, worker, NOW) == {**NOTHING, **figures}


def test_without_metrics_there_are_no_figures() -> None:
    assert of_worker(Totals(), "risk_manager.paper", NOW) == NOTHING
