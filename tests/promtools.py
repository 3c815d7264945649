"""Prometheus' own programs, for tests that need the real ones: from PATH, or from `make tools`."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack.programs import find

__all__ = ["find", "required"]


def required(name: str) -> Path:
    """The program; skips the test when this machine does not have it."""
    found = find(name)
    if found is None:
        pytest.skip(f"{name} is not installed: `make tools` unpacks it where apt is")
    return found
