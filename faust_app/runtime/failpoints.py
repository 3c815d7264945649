"""Places where a test can make a worker kill itself: between deciding, writing, and sending."""

from __future__ import annotations

import os
import signal
from pathlib import Path

NAMES = ("decided", "written", "sent")


class Failpoints:
    """Armed by `delivery.failpoint = NAME[:COUNT[:MARKER]]`: SIGKILL at the COUNTth time NAME is reached.

    MARKER is a file that is created just before, and whose presence disarms the point, so that the restarted
    worker goes on.
    """

    def __init__(self, armed: str | None) -> None:
        name, _, rest = (armed or "").partition(":")
        count, _, marker = rest.partition(":")
        self._name = name or None
        self._left = int(count or 1)
        self._marker = Path(marker) if marker else None
        if self._marker is not None and self._marker.exists():
            self._name = None

    def reached(self, name: str) -> None:
        """Kill the process when this is the armed point and its count has run out."""
        if name != self._name:
            return
        self._left -= 1
        if self._left > 0:
            return
        if self._marker is not None:
            self._marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
