"""Hypothesis for all tests: no deadlines, for speed is not what they test; and what several modules need.

`--hypothesis-profile=prove` digs deeper; `mutation` is the same every time and stops at the first failure it meets.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings

from tests.unit.runtime.redis_server import RedisServer

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


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A real Redis of the module's own."""
    found = RedisServer(tmp_path_factory.mktemp("redis"))
    found.start()
    yield found
    found.stop()
