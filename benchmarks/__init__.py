"""Repeatable measurements. A benchmark reports; it does not pass or fail."""
