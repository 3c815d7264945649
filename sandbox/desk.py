"""The broker's order desk: takes new orders, checks them, passes them on, and places what hangs on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from sandbox.account import Account
from sandbox.checks import RiskChecks
from sandbox.clock import Clock
from sandbox.errors import Refused, invalid
from sandbox.exchange import Exchange
from sandbox.fault_kinds import Kind
from sandbox.faults import Faults
from sandbox.matching import AUTOMATIC
from sandbox.order_form import slices
from sandbox.orders import Order, OrderBook, Terms
from sandbox.updates import Updates
from sandbox.vocabulary import OrderType, Product, Side, Status, Validity, Variety
from trading.market.instruments import Instrument
from trading.market.phases import Phase
from trading.market.sessions import IST, intervals, next_open

MOST_SLICES = 10
MINUTE = 60.0
SHUT = (Phase.CLOSED, Phase.POST_CLOSE)


class OrderDesk:
    """Takes orders. `count_orders` is told of slices and legs, which count in the limit of the day."""

    def __init__(
        self, clock: Clock, book: OrderBook, account: Account, exchange: Exchange, checks: RiskChecks,
        updates: Updates, faults: Faults, *, count_orders: Callable[[int], object], session_hours: bool,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._book = book
        self._account = account
        self._exchange = exchange
        self._checks = checks
        self._updates = updates
        self._faults = faults
        self._count_orders = count_orders
        self._session_hours = session_hours
        exchange.on_fill = self._on_fill

    def place(self, terms: Terms, *, hold_seconds: float = 0) -> Order:
        """Take an order. It may come back rejected, open or filled. Raises Refused when it is not even taken."""
        self._refuse(terms)
        is_iceberg = terms.variety is Variety.ICEBERG
        problem = self._checks.over_freeze(terms.instrument, terms.iceberg_quantity if is_iceberg else terms.quantity)
        if problem:
            raise invalid(problem)
        if is_iceberg:
            self._count_orders(terms.iceberg_legs - 1)
            return self._leg(terms, 1, terms.iceberg_legs, terms.quantity, terms.quantity, hold_seconds)
        return self._take(terms, hold_seconds)

    def place_sliced(self, terms: Terms, *, hold_seconds: float = 0) -> tuple[str, list[Order | Refused]]:
        """Cut at the freeze quantity; each slice stands for itself. Returns the id of the whole, and what came."""
        self._refuse(terms)
        parts = slices(terms.quantity, self._checks.freeze(terms.instrument), terms.instrument.lot_size)
        if len(parts) > MOST_SLICES:
            raise invalid(f"The order would be cut into more than {MOST_SLICES} slices.")
        self._count_orders(len(parts) - 1)
        whole = self._book.new_id()
        tags = ("autoslice", f"autoslice:{whole}")
        return whole, [self._slice(replace(terms, quantity=part), tags, hold_seconds) for part in parts]

    def _slice(self, terms: Terms, tags: tuple[str, ...], hold_seconds: float) -> Order | Refused:
        problem = self._checks.margin(terms, terms.quantity)
        if problem:
            return Refused(400, "MarginException", problem)
        return self._take(terms, hold_seconds, tags=tags)

    def _refuse(self, terms: Terms) -> None:
        is_shut = self._exchange.phase(terms.instrument) in SHUT
        if is_shut and terms.variety is not Variety.AMO:
            raise invalid("Markets are closed right now. Place an after market order (AMO) instead.")
        if not is_shut and terms.variety is Variety.AMO:
            raise invalid("After market orders cannot be placed while the market is open.")
        if terms.product is Product.CNC and terms.side is Side.SELL and terms.variety is not Variety.AUCTION:
            self._refuse_short_delivery(terms)

    def _refuse_short_delivery(self, terms: Terms) -> None:
        sellable = self._account.sellable(terms.instrument)
        if terms.quantity > sellable:
            raise invalid(
                f"Insufficient holdings of {terms.instrument.tradingsymbol}: "
                f"{max(0, sellable)} can be sold as CNC, not {terms.quantity}."
            )

    def _take(
        self,
        terms: Terms,
        hold_seconds: float,
        *,
        parent: str | None = None,
        tags: tuple[str, ...] = (),
        meta: dict[str, Any] | None = None,
    ) -> Order:
        is_amo = terms.variety is Variety.AMO
        first = Status.AMO_RECEIVED if is_amo else Status.RECEIVED
        order = self._book.add(replace(terms), first, parent=parent, tags=tags, meta=meta or {})
        if is_amo:
            self._clock.at(next_open(terms.instrument, int(self._clock.now)), lambda: self._validate(order))
            return order
        slow = self._faults.strike(Kind.SLOW_VALIDATION, terms.instrument.key)
        wait = max(hold_seconds, slow.wait if slow else 0)
        order.hold = wait > 0
        self._clock.after(wait, lambda: self._validate(order))
        return order

    def _validate(self, order: Order) -> None:
        if order.has_ended:
            return
        order.hold = False
        self._book.move(order, Status.VALIDATION_PENDING)
        problem = self._checks.problem(order)
        if problem:
            self._book.move(order, Status.REJECTED, problem)
            self._updates.publish(order, Status.REJECTED)
            return
        self._book.move(order, Status.OPEN_PENDING)
        self._exchange.enter(order)
        if not order.has_ended:
            self._expire_later(order)

    def _expire_later(self, order: Order) -> None:
        if order.terms.validity is Validity.TTL:
            self._clock.after(order.terms.validity_ttl * MINUTE, lambda: self._expire(order))
        if self._session_hours:
            self._clock.at(self._end_of_trading(order.terms.instrument), lambda: self._expire(order))

    def _end_of_trading(self, instrument: Instrument) -> float:
        """When day orders end: continuous trading and the closing auction are over."""
        day = self._clock.day
        ends = [one.until for one in intervals(instrument, day) if one.phase not in SHUT]
        return datetime.combine(day, time(0), IST).timestamp() + max(ends)

    def _expire(self, order: Order) -> None:
        if not order.has_ended:
            self._exchange.cancel(order, "The validity of the order has ended.")

    def _on_fill(self, order: Order) -> None:
        """The next leg of an iceberg order, or the stop of a cover order."""
        terms = order.terms
        if order.status is not Status.COMPLETE:
            return
        if terms.variety is Variety.ICEBERG and order.meta["iceberg"]["remaining_quantity"]:
            meta = order.meta["iceberg"]
            self._leg(terms, meta["leg"] + 1, meta["legs"], meta["total_quantity"], meta["remaining_quantity"])
        elif terms.variety is Variety.CO and order.parent_order_id is None:
            self._take(_stop_of(terms), 0, parent=order.order_id)

    def _leg(self, terms: Terms, leg: int, legs: int, total: int, left: int, hold_seconds: float = 0) -> Order:
        quantity = min(terms.iceberg_quantity, left)
        meta = {
            "leg": leg,
            "legs": legs,
            "leg_quantity": terms.iceberg_quantity,
            "total_quantity": total,
            "remaining_quantity": left - quantity,
        }
        return self._take(replace(terms, quantity=quantity), hold_seconds, meta={"iceberg": meta})


def _stop_of(terms: Terms) -> Terms:
    return replace(
        terms, side=terms.side.opposite, order_type=OrderType.SL_M, price=0, market_protection=Decimal(AUTOMATIC)
    )
