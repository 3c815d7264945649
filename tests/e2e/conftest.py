"""One stack for all end-to-end tests: both brokers, a fast market, and workers that kill themselves at failpoints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.notice_sink import NoticeSink
from tests.running_stack import WIDE_LIMITS, RunningStack

MARKET_SPEED = 3


@pytest.fixture(scope="session")
def markers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where failpoints leave their marks."""
    return tmp_path_factory.mktemp("failpoints")


@pytest.fixture(scope="session")
def sink() -> Iterator[NoticeSink]:
    """Who is told."""
    found = NoticeSink()
    yield found
    found.close()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, markers: Path, sink: NoticeSink) -> Iterator[RunningStack]:
    """The running stack; it has to stop cleanly at the end."""
    running = RunningStack(
        tmp_path_factory.mktemp("stack"),
        "sandbox",
        ALPHA_PANDA__STACK__SANDBOX_SPEED=str(MARKET_SPEED),
        ALPHA_PANDA__DELIVERY__FAILPOINT=f"decided:20,written:30,sent:40@{markers}",
        ALPHA_PANDA__SEED__STRATEGIES_FILE="tests/e2e/strategies.yaml",
        ALPHA_PANDA__NOTICES__ENABLED="true",
        ALPHA_PANDA__NOTICES__ADDRESSES_FILE=str(sink.file_in(tmp_path_factory.mktemp("addresses"))),
        ALPHA_PANDA__NOTICES__FILLS_SECONDS="1",
        ALPHA_PANDA__NOTICES__QUIET_SECONDS="5",
        ALPHA_PANDA__NOTICES__FEED_SILENT_SECONDS="4",
        **WIDE_LIMITS,
    )
    try:
        running.start()
        yield running
        running.stop()
    finally:
        running.kill()
