"""Orders from plan to end. *Denied* is ours, *rejected* is the broker's, *failed* is the end without (more) fills."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from models.messages.ticks import to_units
from models.messages.validation import BrokerOrderId, Checked, Count, Nanoseconds, Note, Quantity, Seconds, Text


class Side(StrEnum):
    """Kite's transaction types."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """Kite's order types."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    SL = "SL"
    SL_M = "SL-M"


class Product(StrEnum):
    """Kite's products."""

    CNC = "CNC"
    MIS = "MIS"
    NRML = "NRML"


WITH_LIMIT = (OrderType.LIMIT, OrderType.SL)
WITH_TRIGGER = (OrderType.SL, OrderType.SL_M)
AUTOMATIC_PROTECTION = Decimal(-1)
LARGEST_PUSH = 10_000
PRICES = ("limit_price", "trigger_price", "stop_loss", "target")


class Validity(StrEnum):
    """Kite's validities."""

    DAY = "DAY"
    IOC = "IOC"
    TTL = "TTL"


class OrderStatus(StrEnum):
    """Where an order stands. FILLED, CANCELLED, REJECTED, EXPIRED and DENIED_LATE are terminal."""

    SUBMITTED = "submitted"  # intent recorded, nothing heard yet
    WORKING = "working"  # the broker has it
    PARTIALLY_FILLED = "partially_filled"
    UNKNOWN = "unknown"  # asked, no answer: only the broker's book can tell
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    DENIED_LATE = "denied_late"  # refused by us at the last check before the call

    @property
    def is_terminal(self) -> bool:
        """True when the order will not fill further."""
        return self in _TERMINAL


_TERMINAL = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED, OrderStatus.DENIED_LATE}
)


class PlannedOrder(Checked, frozen=True, kw_only=True):
    """One order as risk approved it. Prices in rupees, `quantity` in units (a multiple of the lot).

    `market_protection` is Kite's: percent of the price up to which a MARKET or SL-M order may fill, -1 for automatic.
    An entry's `stop_loss` and `target` make its exits, sent as it fills; such an exit has the entry's id as
    `oco_group`. `exits_seen` is how many units exits of that kind had taken off the strategy's position on the order's
    trading day, as far as risk knew when it approved this order.
    """

    order_id: Text
    signal_id: Text
    slice_number: Count
    account: Text
    strategy: Text
    instrument: Text
    instrument_token: Count
    side: Side
    quantity: Quantity
    order_type: OrderType
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    market_protection: Decimal = AUTOMATIC_PROTECTION
    stop_loss: Decimal | None = None
    target: Decimal | None = None
    oco_group: Note = ""
    exits_seen: Count = 0
    product: Product
    validity: Validity
    validity_minutes: Count = 0
    reduces: bool  # it only brings the strategy's position nearer to zero
    tag: Text
    event_time: Seconds  # of the tick behind the signal
    tick_sequence: Count
    run_id: Text
    frame_id: Text  # the frame of that tick, root of the chain
    received_ns: Nanoseconds

    def __post_init__(self) -> None:
        super().__post_init__()
        check_presence(self.order_type, self.limit_price, self.trigger_price)
        self._check_prices()
        check_protection(self.market_protection)
        if self.validity is Validity.TTL and not self.validity_minutes:
            raise ValueError("A TTL order needs its minutes")

    def _check_prices(self) -> None:
        for name in PRICES:
            price = getattr(self, name)
            if price is not None and to_units(price) <= 0:
                raise ValueError(f"{name} is {price}, it must be above 0")
        if self.trigger_price is None and self.stop_loss is None:
            return
        check_order_of_prices(
            self.side,
            limit=self.limit_price,
            trigger=self.trigger_price,
            stop_loss=self.stop_loss,
            target=self.target,
        )

    @property
    def is_stop(self) -> bool:
        """True for orders that wait for their trigger price."""
        return self.trigger_price is not None

    @property
    def has_exits(self) -> bool:
        """True for an entry that brings its own exits."""
        return self.stop_loss is not None or self.target is not None


def check_protection(percent: Decimal) -> None:
    """Raise ValueError unless it is -1 or a percentage. Since 2026-04-01 Kite refuses 0 (its forum, 52970)."""
    if percent != AUTOMATIC_PROTECTION and not 0 < percent <= 100:
        raise ValueError(f"market_protection is {percent}, it must be -1 or a percentage")


def check_presence(kind: OrderType, limit: Decimal | None, trigger: Decimal | None) -> None:
    """Raise ValueError unless an order has the prices of its type, and no others."""
    for name, price, owners in (("limit", limit, WITH_LIMIT), ("trigger", trigger, WITH_TRIGGER)):
        if (kind in owners) != (price is not None):
            raise ValueError(f"A {kind} order {'needs a' if kind in owners else 'has no'} {name} price")


def check_order_of_prices(
    side: Side | None,
    *,
    limit: Decimal | None,
    trigger: Decimal | None,
    stop_loss: Decimal | None,
    target: Decimal | None,
) -> None:
    """Raise ValueError when a limit is on the wrong side of its trigger, or a target is no better than the stop."""
    if side is None:
        return
    if limit is not None and trigger is not None and (limit - trigger) * side.sign < 0:
        where = "below" if side is Side.BUY else "above"
        raise ValueError(f"The limit of {limit} is {where} the trigger of {trigger}: it could never fill")
    if stop_loss is not None and target is not None and (target - stop_loss) * side.sign <= 0:
        raise ValueError(f"A {side} with a stop loss of {stop_loss} cannot have its target at {target}")


class OrderSubmitted(Checked, frozen=True, kw_only=True):
    """`order.submitted`: the durable intent, written before any call.

    One with `not_before` is sent a second time: the order had to wait for that event second, and for the tick with
    `after_sequence` of its instrument. One with `broker_order_id` is at the broker already, by a trigger of ours, since
    `attempted_at`: nobody sends it.
    """

    order: PlannedOrder
    not_before: Seconds = 0
    after_sequence: Count = 0
    broker_order_id: BrokerOrderId = ""
    attempted_at: Seconds = 0


class CancelSubmitted(Checked, frozen=True, kw_only=True):
    """`order.cancel_submitted`: the durable intent to cancel what rests of an order, on the topic of the orders.

    `is_overdue` when it is an exit that has not filled in time.
    """

    order_id: Text
    account: Text
    strategy: Text
    instrument: Text
    instrument_token: Count
    reason: Note
    event_time: Seconds
    is_overdue: bool = False


class OrderUpdate(Checked, frozen=True, kw_only=True):
    """`order.update` on `{b}.orders.updates`: what a broker reports, pushed or polled.

    `cumulative_quantity` and `average_price` describe all fills so far; `fill_price` and
    `fill_quantity` are those of the last increment when the reporter knows it. `unknown_status` is the broker's own
    word for a status nobody here knows: such an order counts as working, to be investigated.
    """

    order_id: Text
    broker_order_id: BrokerOrderId
    status: OrderStatus
    cumulative_quantity: Count
    average_price: Decimal
    fill_price: Decimal | None = None
    fill_quantity: Count = 0
    reason: Note = ""
    event_time: Seconds
    tick_sequence: Count = 0
    unknown_status: Note = ""
    reporter: Text  # paper, push, poll


class OrderPushed(Checked, frozen=True, kw_only=True):
    """`order.pushed` on `{b}.orders.updates`: an order update as it came on the socket, JSON of the broker's own."""

    raw: Annotated[str, Meta(min_length=2, max_length=LARGEST_PUSH)]
    received_at: Seconds


class UpdatesResumed(Checked, frozen=True, kw_only=True):
    """`order.updates_resumed` on `{b}.orders.updates`: the socket is connected, and may have missed updates."""

    at: Seconds


class CallAttempted(Checked, frozen=True, kw_only=True):
    """`order.call_attempted` on `{b}.orders.updates`: the mark before its only call; `at` by the broker's clock."""

    order_id: Text
    at: Seconds


class ClockMoved(Checked, frozen=True, kw_only=True):
    """`order.clock_moved` on `{b}.orders.updates`: the exchange's second, said while the feed is silent."""

    run_id: Text
    at: Seconds


class OrderAcknowledged(Checked, frozen=True, kw_only=True):
    """`order.acknowledged` on `{b}.orders.ack`: the broker has the order."""

    order_id: Text
    signal_id: Text
    account: Text
    broker_order_id: BrokerOrderId
    event_time: Seconds


class OrderFilled(Checked, frozen=True, kw_only=True):
    """`order.filled`: one increment of the cumulative quantity, `quantity` units at exactly `price` rupees.

    `average_price` is over the cumulative quantity, as the broker tells it.
    """

    fill_id: Text
    order: PlannedOrder
    broker_order_id: BrokerOrderId
    quantity: Quantity
    price: Decimal
    cumulative_quantity: Quantity
    average_price: Decimal | None = None
    complete: bool  # the order is filled in full
    event_time: Seconds


class OrderFailed(Checked, frozen=True, kw_only=True):
    """`order.failed`: it will not fill further; `filled_quantity` units had been filled before.

    `is_overdue` when we cancelled it because it had not filled in time: what is left of it is still wanted.
    """

    order: PlannedOrder
    broker_order_id: BrokerOrderId
    outcome: OrderStatus
    filled_quantity: Count
    reason: Note
    event_time: Seconds
    is_overdue: bool = False
