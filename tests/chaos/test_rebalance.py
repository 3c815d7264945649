"""The long proof: twenty joins on the corrected runtime lose nothing; the same on stock Faust loses messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.rebalance import Result, run
from tests.integration.conftest import Infrastructure

pytestmark = [pytest.mark.prove, pytest.mark.timeout(1500)]
SEED = 5
RATE = 350
JOINS = 20  # ten by SIGTERM, ten by SIGKILL


@pytest.fixture
def bootstrap(tmp_path: Path) -> Iterator[str]:
    servers = Infrastructure(tmp_path / "infrastructure")
    servers.start()
    yield f"127.0.0.1:{servers.endpoints.kafka}"
    servers.stop()


def report(result: Result) -> None:
    print(f"seed {SEED}: {result}")


async def test_corrected_runtime_handles_every_offset(bootstrap: str, tmp_path: Path) -> None:
    result = await run(bootstrap, "exact", JOINS, RATE, SEED, tmp_path)
    report(result)
    assert result.joins == JOINS
    assert (result.unhandled, result.committed_unhandled) == (0, 0)


async def test_stock_faust_loses_messages(bootstrap: str, tmp_path: Path) -> None:
    result = await run(bootstrap, "stock", JOINS, RATE, SEED, tmp_path)
    report(result)
    assert result.committed_unhandled > 0
