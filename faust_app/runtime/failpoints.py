"""Places where a test can make a worker kill itself: between deciding, writing, and sending."""

from __future__ import annotations

import os
import signal
from pathlib import Path

NAMES = ("decided", "written", "sent")


class Failpoints:
    """Armed by `delivery.failpoint = NAME:COUNT[,NAME:COUNT...]@FOLDER`.

    The worker gets SIGKILL the COUNTth time it reaches NAME, once: a file in FOLDER, created just before, disarms
    the point for the restarted worker.
    """

    def __init__(self, armed: str | None, worker: str) -> None:
        points, _, folder = (armed or "").partition("@")
        if points and not folder:
            raise ValueError(f"Failpoint {armed!r} has no folder: NAME:COUNT@FOLDER")
        self._left: dict[str, int] = {}
        self._markers: dict[str, Path] = {}
        for point in filter(None, points.split(",")):
            name, _, count = point.partition(":")
            if name not in NAMES:
                raise ValueError(f"There is no failpoint {name!r}; known: {', '.join(NAMES)}")
            marker = Path(folder) / f"{worker}-{name}"
            if not marker.exists():
                self._left[name], self._markers[name] = int(count or 1), marker

    def reached(self, name: str) -> None:
        """Kill the process when this point is armed and its count has run out."""
        if name not in self._left:
            return
        self._left[name] -= 1
        if self._left[name] <= 0:
            self._markers[name].touch()
            os.kill(os.getpid(), signal.SIGKILL)
