"""Changes of working orders: modifications and cancellations, through the states Kite shows."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.account import Account
from sandbox.checks import RiskChecks
from sandbox.clock import Clock
from sandbox.errors import Refused, invalid
from sandbox.exchange import Exchange
from sandbox.fault_kinds import Kind
from sandbox.faults import Faults
from sandbox.orders import Order, OrderBook, Terms
from sandbox.updates import Updates
from sandbox.vocabulary import RESTING, STOPS, OrderType, Status, Variety


class Changes:
    """Takes changes of orders. One change at a time: a further one is refused while an order is being processed."""

    def __init__(
        self, clock: Clock, book: OrderBook, account: Account, exchange: Exchange, checks: RiskChecks,
        updates: Updates, faults: Faults, *, most_modifications: int,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._book = book
        self._account = account
        self._exchange = exchange
        self._checks = checks
        self._updates = updates
        self._faults = faults
        self._most_modifications = most_modifications

    def find(self, variety: str, order_id: str) -> Order:
        """An order of today by the path of a call. Raises Refused."""
        order = self._book.find(order_id)
        if order is None or order.terms.variety != variety:
            raise invalid("Couldn't find that `order_id`.")
        return order

    def _changeable(self, order: Order, verb: str) -> None:
        if order.has_ended:
            raise invalid(f"Order cannot be {verb} as it is already {order.status.lower()}.")
        if order.hold:
            raise invalid(f"Order cannot be {verb} as it is being processed. Try later.")

    def modify(self, order: Order, read: Callable[[Order], Terms]) -> None:
        """Take a modification; `read` gives the new terms. Raises Refused."""
        self._changeable(order, "modified")
        if order.modifications >= self._most_modifications:
            raise Refused(400, "NetworkException", "Maximum allowed order modifications exceeded.")
        terms = read(order)
        problem = self._checks.over_freeze(terms.instrument, terms.quantity)
        if problem:
            raise invalid(problem)
        order.modifications += 1
        if order.status is Status.AMO_RECEIVED:
            order.terms = terms
            self._book.move(order, Status.MODIFY_AMO_RECEIVED)
            self._book.move(order, Status.AMO_RECEIVED)
            return
        before = order.status
        self._book.move(order, Status.MODIFY_VALIDATION_PENDING)
        self._book.move(order, Status.MODIFY_PENDING)
        slow = self._faults.strike(Kind.SLOW_MODIFICATION, terms.instrument.key)
        order.hold = slow is not None
        self._clock.after(slow.wait if slow else 0, lambda: self._modified(order, terms, before))

    def _modified(self, order: Order, terms: Terms, before: Status) -> None:
        order.hold = False
        if order.has_ended:
            return
        old, order.terms = order.terms, terms
        problem = self._problem_of_change(order)
        if problem:
            order.terms = old
            self._book.move(order, Status.NOT_MODIFIED, problem)
            self._book.move(order, before)
            return
        is_stop = terms.order_type in STOPS and (before is Status.TRIGGER_PENDING or old.order_type not in STOPS)
        if not is_stop:
            self._exchange.price(order)
        self._book.move(order, Status.MODIFIED)
        self._book.move(order, Status.TRIGGER_PENDING if is_stop else Status.OPEN)
        self._updates.publish(order, Status.UPDATE)
        if not is_stop:
            self._exchange.match(order)

    def _problem_of_change(self, order: Order) -> str | None:
        if self._faults.strike(Kind.MODIFICATION_REFUSED, order.terms.instrument.key):
            return "Modification was rejected by the exchange."
        short = self._account.funds().net < 0
        return "Insufficient funds for the modified order." if short else None

    def cancel(self, order: Order) -> None:
        """Take a cancellation. Raises Refused."""
        self._changeable(order, "cancelled")
        terms = order.terms
        if terms.variety is Variety.CO and order.parent_order_id and order.status is Status.TRIGGER_PENDING:
            self._exit_cover(order)
            return
        before = order.status
        self._book.move(order, Status.CANCEL_PENDING)
        if before in RESTING and self._faults.strike(Kind.CANCELLATION_REFUSED, terms.instrument.key):
            self._book.move(order, Status.NOT_CANCELLED, "Cancellation was rejected by the exchange.")
            self._book.move(order, before)
            return
        late = before is Status.OPEN and self._faults.strike(Kind.FILL_AFTER_CANCEL, terms.instrument.key)
        if late:
            order.hold = True
            self._clock.after(late.wait, lambda: self._fill_after_cancel(order))
            return
        self._exchange.cancel(order)

    def _fill_after_cancel(self, order: Order) -> None:
        order.hold = False
        if not order.has_ended:
            self._exchange.fill(order, [(order.terms.price, order.pending_quantity)])

    def _exit_cover(self, order: Order) -> None:
        """Leaving a cover order sells at the market: its stop becomes a protected market order."""
        order.terms.order_type = OrderType.MARKET
        self._exchange.price(order)
        self._book.move(order, Status.OPEN)
        self._updates.publish(order, Status.UPDATE)
        self._exchange.match(order)
