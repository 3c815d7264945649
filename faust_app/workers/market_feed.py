"""Worker of the market feed: `faust -A faust_app.workers.market_feed worker`."""

from __future__ import annotations

from agents.market_feed import attach
from faust_app.runtime.app import build_worker

worker = build_worker("market_feed", per_broker=False)
attach(worker)
app = worker.app
