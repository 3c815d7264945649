"""For all contract tests."""

from __future__ import annotations

import pytest

from brokers.zerodha import client


@pytest.fixture(autouse=True)
def unpaced_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads are not spread: `tests/unit/brokers/test_client.py` has that they are."""
    monkeypatch.setattr(client, "READ_SECONDS", 0)
