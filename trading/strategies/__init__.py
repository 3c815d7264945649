"""Strategies: pure classes with typed parameters; they wish, risk decides."""
