"""What a market is: instruments, a session, and batches of ticks in exchange time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from models.messages.ticks import Tick
from trading.market.instruments import Instrument


@dataclass(frozen=True, slots=True)
class Batch:
    """Ticks the exchange sends together, at `at` epoch seconds of its own clock."""

    at: float
    ticks: Sequence[Tick]


class Market(Protocol):
    """A market that can be played once. The same arguments give the same batches."""

    @property
    def instruments(self) -> Sequence[Instrument]:
        """Everything that is listed."""

    @property
    def session_start(self) -> int:
        """Epoch second at which the first batch may come."""

    @property
    def waits_for_clients(self) -> bool:
        """True when no tick may be lost: a slow client slows the market down."""

    def batches(self) -> Iterator[Batch]:
        """All batches of the session in time order."""
