"""A second worker joins and leaves while messages flow: a sample of what `make prove` does at length."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.rebalance import run
from tests.integration.conftest import Infrastructure

SEED = 17
RATE = 200


async def test_no_offset_is_lost_when_a_worker_joins_and_leaves(infrastructure: Infrastructure, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    result = await run(f"127.0.0.1:{infrastructure.endpoints.kafka}", "exact", 2, RATE, SEED, tmp_path)
    assert result.sent > 1000
    assert (result.unhandled, result.committed_unhandled) == (0, 0), result
