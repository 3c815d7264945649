"""Worker of the risk manager of one broker: `faust -A faust_app.workers.risk_manager worker`."""

from __future__ import annotations

from agents.risk_manager import attach
from faust_app.runtime.app import build_worker

worker = build_worker("risk_manager", per_broker=True)
attach(worker)
app = worker.app
