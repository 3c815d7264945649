"""Decisions. Pure: no I/O, no clock, no randomness of its own. The same code live, in replay and in backtest."""
