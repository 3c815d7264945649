"""Worker of the ledger: `faust -A faust_app.workers.ledger worker`."""

from __future__ import annotations

from agents.ledger import attach
from faust_app.runtime.app import build_worker

worker = build_worker("ledger", per_broker=False)
attach(worker)
app = worker.app
