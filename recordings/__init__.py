"""Recorded markets on disk: what `record` writes, and what `replay` and `backtest` read."""
