"""Worker of the strategy runner: `faust -A faust_app.workers.strategy_runner worker`."""

from __future__ import annotations

from agents.strategy_runner import attach
from faust_app.runtime.app import build_worker

worker = build_worker("strategy_runner", per_broker=False)
attach(worker)
app = worker.app
