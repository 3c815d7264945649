"""Which tests of the real stack have to run in one process: those that share servers or a stack, and each module."""

from __future__ import annotations

import pytest

PIPELINE = "stack"  # the fixture of tests/e2e/conftest.py
SERVERS = "infrastructure"  # the fixture of tests/integration/conftest.py


def group_of(item: pytest.Function) -> str:
    """Name of the group: tests of one group run one after the other, in their order."""
    folder, module = item.path.parent.name, item.path.stem
    if folder == "e2e" and PIPELINE in item.fixturenames and module.startswith("test_pipeline"):
        return "pipeline"
    if folder == "integration" and SERVERS in item.fixturenames:
        return "servers"
    return f"{folder}/{module}"
