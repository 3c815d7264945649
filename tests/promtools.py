"""Prometheus' own programs, for tests that need the real ones: from PATH, or from the repository's `.tools`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from faust_app.runtime.settings import PROJECT

TOOLS = PROJECT / ".tools" / "usr" / "bin"


def required(name: str) -> Path:
    """The program; skips the test when this machine does not have it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{TOOLS}")
    if found is None:
        pytest.skip(f"{name} is neither in PATH nor in {TOOLS.relative_to(PROJECT)}")
    return Path(found)
