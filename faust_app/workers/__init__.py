"""One module per stage: each builds its worker and names it `app`, for `faust -A faust_app.workers.<stage> worker`."""

STAGES = (
    "market_feed",
    "strategy_runner",
    "risk_manager",
    "trading_engine",
    "portfolio_manager",
    "ledger",
    "monitor",
)
PER_BROKER = frozenset({"risk_manager", "trading_engine", "portfolio_manager"})
