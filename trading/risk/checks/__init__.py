"""The pre-trade checks, one class each, grouped by what they look at. The order is declared in `trading.risk.chain`."""
