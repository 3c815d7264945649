"""Worker of the portfolio manager of one broker: `faust -A faust_app.workers.portfolio_manager worker`."""

from __future__ import annotations

from agents.portfolio_manager import attach
from faust_app.runtime.app import build_worker

worker = build_worker("portfolio_manager", per_broker=True)
attach(worker)
app = worker.app
