"""Worker of the trading engine of one broker: `faust -A faust_app.workers.trading_engine worker`."""

from __future__ import annotations

from agents.trading_engine import attach
from faust_app.runtime.app import build_worker

worker = build_worker("trading_engine", per_broker=True)
attach(worker)
app = worker.app
