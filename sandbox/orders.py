"""Orders, their trades and their history, and the order book of the day."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sandbox.clock import Clock
from sandbox.money import average
from sandbox.vocabulary import ENDS, OrderType, Product, Side, Status, Validity, Variety
from trading.market.instruments import Instrument

FIRST_EXCHANGE_ORDER = 1_300_000_000_000_000
FIRST_TRADE = 10_000_000
REQUESTS = (Status.MODIFY_VALIDATION_PENDING, Status.MODIFY_AMO_RECEIVED, Status.CANCEL_PENDING)


@dataclass(slots=True, kw_only=True)
class Terms:
    """What an order asks for. Prices in units; `source` is who placed it: api, hand or gtt."""

    instrument: Instrument
    variety: Variety
    side: Side
    product: Product
    order_type: OrderType
    quantity: int
    validity: Validity = Validity.DAY
    validity_ttl: int = 0
    price: int = 0
    trigger_price: int = 0
    disclosed_quantity: int = 0
    market_protection: Decimal = Decimal(0)
    iceberg_legs: int = 0
    iceberg_quantity: int = 0
    auction_number: str | None = None
    tag: str | None = None
    source: str = "api"


@dataclass(slots=True)
class Order:
    """One order. `hold` is true while it is being processed and takes no change.

    `requested_at` is the time of the last call that changed it, `exchange_at` when the exchange took its terms,
    `updated_at` when the exchange last said anything about it.
    """

    order_id: str
    terms: Terms
    placed_at: float
    requested_at: float
    status: Status
    parent_order_id: str | None = None
    message: str | None = None
    exchange_order_id: str | None = None
    exchange_at: float | None = None
    updated_at: float | None = None
    filled_quantity: int = 0
    filled_value: int = 0
    cancelled_quantity: int = 0
    modifications: int = 0
    hold: bool = False
    tags: list[str] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def pending_quantity(self) -> int:
        """What is not filled; also of an order that has ended, as Kite has it."""
        return self.terms.quantity - self.filled_quantity

    @property
    def average_price(self) -> Fraction:
        """Of the filled part, units."""
        return average(self.filled_value, self.filled_quantity)

    @property
    def has_ended(self) -> bool:
        """True in one of the three terminal states."""
        return self.status in ENDS


@dataclass(frozen=True, slots=True)
class Trade:
    """One execution; price in units."""

    trade_id: str
    order: Order
    price: int
    quantity: int
    at: float


class OrderBook:
    """All orders and trades of the day with every state each order went through. Ids are a function of the calls."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._orders: dict[str, Order] = {}
        self._history: dict[str, list[Order]] = {}
        self._trades: list[Trade] = []
        self._order_number = self._trade_number = 0

    def new_id(self) -> str:
        """Fifteen digits: the date and a number."""
        self._order_number += 1
        return f"{self._clock.day:%y%m%d}{self._order_number:09d}"

    def add(
        self, terms: Terms, status: Status, *, parent: str | None, tags: Iterable[str], meta: dict[str, Any]
    ) -> Order:
        """A new order in its first state."""
        now = self._clock.now
        own = [terms.tag] if terms.tag else []
        order = Order(self.new_id(), terms, now, now, status, parent, tags=[*own, *tags], meta=meta)
        self._orders[order.order_id] = order
        self._history[order.order_id] = []
        self._remember(order)
        return order

    def move(self, order: Order, status: Status, message: str | None = None) -> None:
        """The order's next state."""
        order.status = status
        order.message = message
        if status in REQUESTS:
            order.requested_at = self._clock.now
        elif order.exchange_order_id:
            order.updated_at = self._clock.now
        if status is Status.MODIFIED:
            order.exchange_at = self._clock.now
        self._remember(order)

    def reach_exchange(self, order: Order) -> None:
        """The exchange has taken the order and numbers it."""
        order.exchange_order_id = str(FIRST_EXCHANGE_ORDER + int(order.order_id[-9:]))
        order.exchange_at = self._clock.now

    def trade(self, order: Order, price: int, quantity: int) -> Trade:
        """An execution; the caller moves the order afterwards."""
        self._trade_number += 1
        trade = Trade(str(FIRST_TRADE + self._trade_number), order, price, quantity, self._clock.now)
        order.filled_quantity += quantity
        order.filled_value += price * quantity
        self._trades.append(trade)
        return trade

    def _remember(self, order: Order) -> None:
        kept = copy.copy(order)
        kept.terms, kept.tags, kept.meta = copy.copy(order.terms), list(order.tags), dict(order.meta)
        self._history[order.order_id].append(kept)

    def find(self, order_id: str) -> Order | None:
        """One order of today."""
        return self._orders.get(order_id)

    def history(self, order_id: str) -> list[Order]:
        """The states an order went through, oldest first; empty for an unknown one."""
        return self._history.get(order_id, [])

    def trades(self, order_id: str | None = None) -> list[Trade]:
        """Executions of today, of one order or of all."""
        return [one for one in self._trades if order_id in (None, one.order.order_id)]

    def children(self, order_id: str) -> list[Order]:
        """Orders that hang on another one."""
        return [one for one in self._orders.values() if one.parent_order_id == order_id]

    @property
    def working(self) -> list[Order]:
        """Orders that have not ended."""
        return [one for one in self._orders.values() if not one.has_ended]

    def clear(self, kept: Iterable[Order] = ()) -> None:
        """Another day: only `kept` stays."""
        names = {one.order_id for one in kept}
        self._orders = {name: one for name, one in self._orders.items() if name in names}
        self._history = {name: rows for name, rows in self._history.items() if name in names}
        self._trades = []
        self._order_number = 0

    def __iter__(self) -> Iterator[Order]:
        return iter(self._orders.values())

    def __len__(self) -> int:
        return len(self._orders)
