"""Recorded market data beside the checkout: private fixtures, never part of the project."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared_data(*parts: str) -> Path:
    """Path below the recorded data; skips the calling test, saying so, when it is absent."""
    path = ROOT.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"recorded data {'/'.join(parts)} is not beside this checkout")
    return path
