"""Paper fills against the five-level book."""
