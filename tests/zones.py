"""The process's time zone as a parameter: no result may depend on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

ZONES = ("UTC", "Asia/Kolkata", "America/New_York")


@contextmanager
def process_zone(name: str) -> Iterator[None]:
    """Run in a time zone; afterwards in the former one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        yield
    time.tzset()
