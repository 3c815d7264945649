"""What time it is at the broker: by the wall, or in a sandbox, whose day is not today, by the market's ticks."""

from __future__ import annotations

import time
from collections.abc import Callable

MOST_BETWEEN_FRAMES = 5.0


class BrokerClock:
    """Epoch seconds at the broker. `note` hears the market's event seconds, of which there is one each second."""

    def __init__(self, wall: Callable[[], float], *, follows_market: bool) -> None:
        self._wall = wall
        self._follows_market = follows_market
        self._second = 0
        self._noted_at = 0.0

    def note(self, second: int) -> None:
        """The market has come to this second."""
        if second > self._second:
            self._second, self._noted_at = second, time.monotonic()

    @property
    def is_known(self) -> bool:
        """False while a sandbox's market has not said anything."""
        return bool(self._second) or not self._follows_market

    def now(self) -> float:
        """Epoch seconds."""
        if not self._follows_market or not self._second:
            return self._wall()
        return self._second + min(time.monotonic() - self._noted_at, MOST_BETWEEN_FRAMES)
