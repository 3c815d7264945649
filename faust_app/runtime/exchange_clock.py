"""What second it is at the exchange while no message says so: for square-off and for closing positions.

A simulated account lives by its market's clock alone, which stands still with the feed. At Kite it is the wall clock,
whatever the feed says. A sandbox has a clock of its own: what it last said, and the time since.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from faust_app.runtime.settings import Settings

NEVER = float("-inf")


class ExchangeClock:
    """The exchange's second as one process knows it. `now` is the wall clock in seconds."""

    def __init__(self, *, is_simulated: bool, is_sandbox: bool, now: Callable[[], float] = time.time) -> None:
        self._is_simulated = is_simulated
        self._is_sandbox = is_sandbox
        self.now = now
        self._heard = 0
        self._heard_at = NEVER

    def hear(self, second: int) -> None:
        """A message has moved the market's clock."""
        self._heard, self._heard_at = second, self.now()

    def wall(self) -> float:
        """The wall clock, for the age of what this machine has received."""
        return self.now()

    @property
    def is_known(self) -> bool:
        """False while only the market could say, and has not."""
        return bool(self._heard) or not (self._is_simulated or self._is_sandbox)

    def seconds(self) -> float:
        """Event seconds; 0 for a simulated market that has said nothing yet."""
        if self._is_simulated:
            return self._heard
        if self._is_sandbox and self._heard:
            return self._heard + self.now() - self._heard_at
        return self.now()

    @property
    def second(self) -> int:
        """The same without fractions."""
        return int(self.seconds())

    @property
    def silent_seconds(self) -> float:
        """How long ago the market's clock was last heard of."""
        return self.now() - self._heard_at


def exchange_clock(settings: Settings, broker: str, now: Callable[[], float] = time.time) -> ExchangeClock:
    """The clock of a broker's exchange."""
    is_simulated = not settings.brokers[broker].execution.is_at_the_broker
    return ExchangeClock(is_simulated=is_simulated, is_sandbox=settings.kite.root is not None, now=now)
