"""Worker of the monitor: `faust -A faust_app.workers.monitor worker`."""

from __future__ import annotations

from agents.monitor import attach
from faust_app.runtime.app import build_worker

worker = build_worker("monitor", per_broker=False)
attach(worker)
app = worker.app
