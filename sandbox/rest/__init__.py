"""Kite's REST endpoints, one file per family, and the guard every call passes: limits, token, faults."""
