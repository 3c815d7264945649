"""Orders from plan to end. *Denied* is ours, *rejected* is the broker's, *failed* is the end without (more) fills."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

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
    """One order as risk approved it. Prices in rupees, `quantity` in units (a multiple of the lot)."""

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
        needs_limit = self.order_type in (OrderType.LIMIT, OrderType.SL)
        if needs_limit != (self.limit_price is not None):
            raise ValueError(f"A {self.order_type} order {'needs a' if needs_limit else 'has no'} limit price")
        if self.limit_price is not None and to_units(self.limit_price) <= 0:
            raise ValueError(f"limit_price is {self.limit_price}, it must be above 0")
        if self.validity is Validity.TTL and not self.validity_minutes:
            raise ValueError("A TTL order needs its minutes")


class OrderSubmitted(Checked, frozen=True, kw_only=True):
    """`order.submitted`: the durable intent, written before any call."""

    order: PlannedOrder


class OrderUpdate(Checked, frozen=True, kw_only=True):
    """`order.update` on `{b}.orders.updates`: what a broker reports, pushed or polled.

    `cumulative_quantity` and `average_price` describe all fills so far; `fill_price` and
    `fill_quantity` are those of the last increment when the reporter knows it.
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
    reporter: Text  # paper, push, poll


class OrderAcknowledged(Checked, frozen=True, kw_only=True):
    """`order.acknowledged` on `{b}.orders.ack`: the broker has the order."""

    order_id: Text
    signal_id: Text
    account: Text
    broker_order_id: BrokerOrderId
    event_time: Seconds


class OrderFilled(Checked, frozen=True, kw_only=True):
    """`order.filled`: one increment of the cumulative quantity, `quantity` units at exactly `price` rupees."""

    fill_id: Text
    order: PlannedOrder
    broker_order_id: BrokerOrderId
    quantity: Quantity
    price: Decimal
    cumulative_quantity: Quantity
    complete: bool  # the order is filled in full
    event_time: Seconds


class OrderFailed(Checked, frozen=True, kw_only=True):
    """`order.failed`: it will not fill further; `filled_quantity` units had been filled before."""

    order: PlannedOrder
    broker_order_id: BrokerOrderId
    outcome: OrderStatus
    filled_quantity: Count
    reason: Note
    event_time: Seconds
