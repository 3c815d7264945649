"""Hypothesis for all tests: no deadlines, for speed is not what they test. `--hypothesis-profile=prove` digs deeper."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("suite", deadline=None, max_examples=100, print_blob=True)
settings.register_profile("prove", deadline=None, max_examples=3000, print_blob=True)
settings.load_profile("suite")
