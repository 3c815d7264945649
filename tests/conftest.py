"""Hypothesis for all tests: no deadlines, for speed is not what they test.

`--hypothesis-profile=prove` digs deeper; `mutation` is the same every time and stops at the first failure it meets.
"""

from __future__ import annotations

from hypothesis import Phase, settings

settings.register_profile("suite", deadline=None, max_examples=100, print_blob=True)
settings.register_profile("prove", deadline=None, max_examples=10_000, print_blob=True)
settings.register_profile(
    "mutation",
    deadline=None,
    max_examples=100,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile("suite")
