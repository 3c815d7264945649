"""What the paper exchange remembers of one instrument: the orders that rest, and the ids of the day's orders."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from models.messages.orders import PlannedOrder

NEVER = 2**62


class RestingOrder(msgspec.Struct, kw_only=True):
    """One order at the exchange. Seconds are of the exchange's clock, prices in 1/10,000 rupee.

    It is matched from `eligible_at` on, and gone at `last_second`. `limit_units` is the price it may not fill beyond,
    None for a market order that has met nothing yet. `run_id` and `sequence` are those of the last tick it has met,
    `volume` that of the last one it could match, `extreme` the day's high (of a buy) or low then, while a stop
    `waits` for its trigger. `arrived_in` is the phase in which the exchange took it. `turnover` is that of its fills,
    rupees.
    """

    order: PlannedOrder
    placed_at: int
    eligible_at: int
    last_second: int = NEVER
    cancel_at: int = NEVER
    limit_units: int | None = None
    waits: bool = False
    arrived_in: str = ""
    in_auction: bool = False
    filled: int = 0
    turnover: Decimal = Decimal(0)
    run_id: str = ""
    sequence: int = 0
    volume: int | None = None
    extreme: int = 0

    @property
    def remaining(self) -> int:
        """Units that can still fill."""
        return self.order.quantity - self.filled


class PaperBook(msgspec.Struct, kw_only=True):
    """State of one instrument. `known` remembers the orders of the day, so a repeat is ignored."""

    resting: dict[str, RestingOrder] = {}
    known: dict[str, int] = {}

    def forget_before(self, event_time: int) -> None:
        """Forget finished orders placed before that second."""
        self.known = {key: at for key, at in self.known.items() if at >= event_time or key in self.resting}
