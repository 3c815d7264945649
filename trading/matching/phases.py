"""What the exchange does with orders at a moment. The phases and stages come in as values.

The closing auction, by SEBI's circulars of 2026-01-16 and 2026-10-15: untriggered stop orders are cancelled at its
start, unfilled limit orders go on into it, orders are taken stage by stage, and nothing trades until it is matched, at
one price.
"""

from __future__ import annotations

import msgspec

from models.messages.orders import OrderType, PlannedOrder, Product, Validity
from models.messages.ticks import Tick
from trading.market.sessions import Phase, Stage

NO_ENTRY = frozenset({Stage.CLOSED, Stage.REFERENCE, Stage.MATCHING, Stage.BUFFER})
LIMITS_ONLY = frozenset({Stage.LIMIT_ENTRY, Stage.RANDOM_END})
BEFORE_MATCHING = frozenset({Stage.REFERENCE, Stage.ENTRY})
SESSION_ENDS = frozenset({Phase.CLOSED, Phase.POST_CLOSE})
LAST_EXITS_REST = 30  # seconds that an exit sent during the square-off may rest before the next may be sent


class Moment(msgspec.Struct, frozen=True):
    """The market's clock, in event seconds, and what the instrument's market does then.

    `square_off` is the second of that day from which intraday positions are being closed; None: none is.
    """

    clock: int
    phase: Phase = Phase.CONTINUOUS
    stage: Stage = Stage.CONTINUOUS
    square_off: int | None = None


class Seen(msgspec.Struct, frozen=True):
    """What a frame showed of one instrument."""

    moment: Moment
    ticks: tuple[Tick, ...] = ()


def refusal(moment: Moment, order: PlannedOrder) -> str:
    """Why the exchange does not take an order that arrives now; empty when it does."""
    if moment.phase is not Phase.CLOSING_AUCTION:
        return ""
    if order.is_stop:
        return "The closing auction takes no stop orders"
    if order.validity is Validity.IOC:
        return "The closing auction takes no immediate-or-cancel orders"
    if moment.stage in NO_ENTRY:
        return "The closing auction takes no orders now"
    if order.order_type is OrderType.MARKET and moment.stage in LIMITS_ONLY:
        return "The closing auction takes only limit orders now"
    return ""


def is_squared_off(moment: Moment, order: PlannedOrder, placed_at: int) -> bool:
    """True when the broker cancels an order because intraday positions are being closed: it would hold an exit back."""
    due = moment.square_off
    if due is None or order.product is not Product.MIS or moment.clock < due:
        return False
    return placed_at < due or moment.clock >= placed_at + LAST_EXITS_REST


def may_print(moment: Moment) -> bool:
    """True when a trade of the auction may be seen."""
    return moment.stage not in BEFORE_MATCHING
