"""Signals: what a strategy wants, and what risk made of it."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from models.messages.orders import OrderType, PlannedOrder, Product, Side, Validity
from models.messages.validation import Checked, Count, Nanoseconds, Note, Quantity, Seconds, SignedQuantity, Text


class Intent(StrEnum):
    """What a signal asks for; risk turns it into a quantity."""

    OPEN = "open"  # `side` with `quantity`
    CLOSE = "close"  # bring the strategy's position in the instrument to zero
    TARGET = "target"  # bring it to `target_quantity`, negative for short


class Origin(Checked, frozen=True, kw_only=True):
    """The tick a signal comes from. Prices in rupees, times in epoch seconds of the exchange."""

    run_id: Text
    frame_id: Text
    instrument_token: Count
    tick_sequence: Count
    event_time: Seconds  # of the tick
    clock: Seconds  # of the frame; later than event_time when the tick was stale
    price: Decimal
    received_ns: Nanoseconds  # wall clock at the feed, for latency metrics only


class Terms(Checked, frozen=True, kw_only=True):
    """What is asked for: the part a signal shares with the strategy's wish it is made from."""

    intent: Intent
    side: Side | None = None
    quantity: Quantity | None = None
    target_quantity: SignedQuantity | None = None
    order_type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    product: Product = Product.MIS
    validity: Validity = Validity.DAY
    validity_minutes: Count = 0  # for TTL
    leg: Count = 0
    reason: Note = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.intent is Intent.OPEN and (self.side is None or self.quantity is None):
            raise ValueError("An open signal needs a side and a quantity")
        if self.intent is Intent.TARGET and self.target_quantity is None:
            raise ValueError("A target signal needs a target quantity")
        if self.quantity is not None and self.quantity < 1:
            raise ValueError(f"quantity is {self.quantity}, it must be above 0")
        if self.order_type not in (OrderType.MARKET, OrderType.LIMIT):
            raise ValueError(f"Signals ask for market or limit orders, not {self.order_type}")
        if (self.order_type is OrderType.LIMIT) != (self.limit_price is not None):
            raise ValueError("A limit price goes with a limit order, and only with one")
        if self.validity is Validity.TTL and not self.validity_minutes:
            raise ValueError("A signal with validity TTL needs its minutes")


class Signal(Terms, frozen=True, kw_only=True):
    """`signal.raised` on `{b}.signals.raw`: one strategy's wish for one instrument."""

    signal_id: Text
    account: Text
    strategy: Text  # the instance, not the class
    instrument: Text  # EXCHANGE:TRADINGSYMBOL
    instrument_token: Count
    origin: Origin


class AcceptedSignal(Checked, frozen=True, kw_only=True):
    """`signal.accepted` on `{b}.signals.validated`: the orders to send, exactly as approved."""

    signal_id: Text
    account: Text
    strategy: Text
    orders: tuple[PlannedOrder, ...]
    origin: Origin


class DeniedSignal(Checked, frozen=True, kw_only=True):
    """`signal.denied` on `{b}.signals.rejected`: why, as a code, a sentence and the values compared."""

    signal_id: Text
    account: Text
    strategy: Text
    instrument: Text
    code: Text
    message: Note
    values: dict[str, str] = msgspec.field(default_factory=dict)
    signal: Signal
