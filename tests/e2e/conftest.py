"""Two stacks for all end-to-end tests: simulated accounts whose workers kill themselves at failpoints; a live one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stack.programs import find
from tests.e2e.live_stack import LIVE, LiveStack
from tests.e2e.observed import AlertLog, ObservedStack, Watched
from tests.notice_sink import NoticeSink
from tests.promtools import required
from tests.running_stack import WIDE_LIMITS, RunningStack

MARKET_SPEED = 3
MOST_LAG = 100  # messages; a ledger without PostgreSQL has more waiting soon
FEW_FRAMES = {
    "ALPHA_PANDA__FEED__COALESCE_MS": "50"
}  # enough for the few ticks here; every tick would be a frame of its own


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
        **FEW_FRAMES,
        **WIDE_LIMITS,
    )
    with running.running():
        yield running


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    """The running live stack, under its own Prometheus where there is one; it has to stop cleanly at the end."""
    kind = ObservedStack if find("prometheus") else LiveStack
    few = {"ALPHA_PANDA__WORKER__MOST_LAG_MESSAGES": str(MOST_LAG), **FEW_FRAMES}
    running = kind(tmp_path_factory.mktemp("live"), "sandbox", **LIVE, **few)
    with running.running():
        yield running


@pytest.fixture(scope="session")
def observed(live: LiveStack) -> ObservedStack:
    """The live stack, trading, under its own Prometheus; without one the test is skipped."""
    required("prometheus")
    assert isinstance(live, ObservedStack)
    live.command("resume", "--broker", "zerodha", "--yes")
    return live


@pytest.fixture(scope="session")
def alerts(observed: ObservedStack) -> Iterator[AlertLog]:
    """Every alert of it."""
    with AlertLog(observed).running() as log:
        yield log


@pytest.fixture
def watched(alerts: AlertLog, record_property: Callable[[str, object], None]) -> Watched:
    """What a test expects to be told."""
    return Watched(alerts, record_property)
