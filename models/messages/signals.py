"""Signals: what a strategy wants, and what risk made of it."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from models.messages.orders import (
    AUTOMATIC_PROTECTION,
    OrderType,
    PlannedOrder,
    Product,
    Side,
    Validity,
    check_order_of_prices,
    check_presence,
    check_protection,
)
from models.messages.validation import Checked, Count, Nanoseconds, Note, Quantity, Seconds, SignedQuantity, Text


class Intent(StrEnum):
    """What a signal asks for; risk turns it into a quantity."""

    OPEN = "open"  # `side` with `quantity`, or with `weight`
    CLOSE = "close"  # bring the strategy's position in the instrument to zero
    TARGET = "target"  # bring it to `target_quantity`, negative for short
    REDUCE = "reduce"  # `side` with `quantity`, no further than to zero


class Origin(Checked, frozen=True, kw_only=True):
    """The tick a signal comes from. Prices in rupees, times in epoch seconds of the exchange."""

    run_id: Text
    frame_id: Text
    instrument_token: Count
    tick_sequence: Count
    event_time: Seconds  # of the tick
    clock: Seconds  # of the frame; later than event_time when the tick was stale
    price: Decimal
    received_ns: Nanoseconds  # wall clock at the feed, for latency metrics only; 0 when no tick is behind it


class Terms(Checked, frozen=True, kw_only=True):
    """What is asked for: the part a signal shares with the strategy's wish it is made from.

    Prices in rupees. `stop_loss` and `target` go with an entry: once it fills, the position is left at whichever of
    the two prices is reached first. `market_protection` in percent, -1 for automatic.
    """

    intent: Intent
    side: Side | None = None
    quantity: Quantity | None = None
    weight: Decimal | None = None  # share of the account's equity at cost, 0.1 is a tenth
    target_quantity: SignedQuantity | None = None
    order_type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    market_protection: Decimal = AUTOMATIC_PROTECTION
    stop_loss: Decimal | None = None
    target: Decimal | None = None
    product: Product = Product.MIS
    validity: Validity = Validity.DAY
    validity_minutes: Count = 0  # for TTL
    leg: Count = 0
    group: Annotated[str, Meta(max_length=256)] = ""  # legs wanted together, or none; a signal's: NAME/NUMBER OF LEGS
    reason: Note = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.intent is Intent.OPEN and (self.side is None or (self.quantity is None) == (self.weight is None)):
            raise ValueError("An open signal needs a side and a quantity, or a weight instead")
        if self.intent is Intent.REDUCE and (self.side is None or self.quantity is None):
            raise ValueError("A reduce signal needs a side and a quantity")
        if self.intent is Intent.TARGET and self.target_quantity is None:
            raise ValueError("A target signal needs a target quantity")
        if self.quantity is not None and self.quantity < 1:
            raise ValueError(f"quantity is {self.quantity}, it must be above 0")
        if self.weight is not None and self.weight <= 0:
            raise ValueError(f"weight is {self.weight}, it must be above 0")
        check_presence(self.order_type, self.limit_price, self.trigger_price)
        check_order_of_prices(
            self.side,
            limit=self.limit_price,
            trigger=self.trigger_price,
            stop_loss=self.stop_loss,
            target=self.target,
        )
        is_exit = self.intent in {Intent.CLOSE, Intent.REDUCE}
        if is_exit and (self.stop_loss is not None or self.target is not None):
            raise ValueError("A stop loss and a target go with an entry, not with an exit")
        if self.validity is Validity.TTL and not self.validity_minutes:
            raise ValueError("A signal with validity TTL needs its minutes")
        check_protection(self.market_protection)


class Signal(Terms, frozen=True, kw_only=True):
    """`signal.raised` on `{b}.signals.raw`: one strategy's wish for one instrument."""

    signal_id: Text
    account: Text
    strategy: Text  # the instance, not the class
    instrument: Text  # EXCHANGE:TRADINGSYMBOL
    instrument_token: Count
    origin: Origin


class SquareOffDue(Checked, frozen=True, kw_only=True):
    """`signal.square_off_due` on `{b}.signals.raw`: some intraday positions have to be left by event second `clock`.

    They are of instruments in a partition of `market.ticks`. Said once a minute; who knows the positions raises exits.
    """

    account: Text
    run_id: Text
    partition: Count
    clock: Count
    received_ns: Nanoseconds  # of the frame that moved the clock, for latency metrics only


class ExitsDue(Checked, frozen=True, kw_only=True):
    """`signal.exits_due` on `{b}.signals.raw`: positions have to be left now, by the clock at the exchange.

    Said by the risk manager to itself, every few seconds until they are flat: while an operator wants positions closed
    (`revision` of that wish, 0 for none; of every strategy, or of those named), and of a broker at the exchange when
    intraday positions are due (`intraday`).
    """

    account: Text
    run_id: Text
    clock: Seconds
    revision: Count = 0
    everything: bool = False
    strategies: tuple[Text, ...] = ()
    intraday: bool = False

    def closes(self, strategy: str) -> bool:
        """True when an operator wants the strategy's positions closed."""
        return self.everything or strategy in self.strategies


class DeniedSignal(Checked, frozen=True, kw_only=True):
    """`signal.denied` on `{b}.signals.rejected`: why, as a code, a sentence and the values compared.

    `is_rest` when the part of the signal that reduces was accepted, and only what goes beyond it was not.
    """

    signal_id: Text
    account: Text
    strategy: Text
    instrument: Text
    code: Text
    message: Note
    values: dict[str, str] = msgspec.field(default_factory=dict)
    is_rest: bool = False
    signal: Signal


class AcceptedSignal(Checked, frozen=True, kw_only=True):
    """`signal.accepted` on `{b}.signals.validated`: the orders to send, exactly as approved.

    Those that reduce come first. `rest` says why what the signal asks for beyond them was not accepted.
    """

    signal_id: Text
    account: Text
    strategy: Text
    orders: tuple[PlannedOrder, ...]
    origin: Origin
    rest: DeniedSignal | None = None
