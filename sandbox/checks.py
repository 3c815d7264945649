"""What the broker's risk system checks once it has taken an order: a refusal is a REJECTED order with a message."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.account import Account
from sandbox.board import Board
from sandbox.fault_kinds import Kind
from sandbox.faults import Faults
from sandbox.matching import is_triggered
from sandbox.money import shown
from sandbox.orders import Order, Terms
from sandbox.vocabulary import STOPS, UNPRICED, Side
from trading.market.instruments import Instrument


class RiskChecks:
    """Reasons to reject, as Kite words them. `freeze` is an instrument's freeze quantity, None when unknown."""

    def __init__(
        self, board: Board, account: Account, faults: Faults, freeze: Callable[[Instrument], int | None]
    ) -> None:
        self._board = board
        self._account = account
        self._faults = faults
        self.freeze = freeze

    def problem(self, order: Order) -> str | None:
        """Why an order is rejected; None when it is not."""
        fault = self._faults.strike(Kind.REJECT, order.terms.instrument.key)
        if fault is not None:
            return self._made_up(order, fault.reason)
        for check in (self._no_price, self._triggered_already, self._circuit):
            problem = check(order.terms)
            if problem:
                return problem
        return self.margin(order.terms, order.pending_quantity)

    def _made_up(self, order: Order, reason: str) -> str:
        if reason == "margin":
            required = self._account.required(order.terms, order.pending_quantity, self._price(order.terms))
            return _margin_text(shown(required.total), "0.00")
        if reason == "freeze":
            return freeze_text(order.terms.instrument, order.terms.quantity - 1)
        return self._circuit_text(order.terms, order.terms.side)

    def _price(self, terms: Terms) -> int:
        return terms.price or terms.trigger_price or self._board.last_price(terms.instrument)

    def _no_price(self, terms: Terms) -> str | None:
        if terms.order_type in UNPRICED and not self._board.last_price(terms.instrument):
            return f"Market orders are blocked for {terms.instrument.tradingsymbol}: there is no last traded price."
        return None

    def _triggered_already(self, terms: Terms) -> str | None:
        last = self._board.last_price(terms.instrument)
        if terms.order_type not in STOPS or not last or not is_triggered(terms.side, terms.trigger_price, last):
            return None
        relation = "higher" if terms.side is Side.BUY else "lower"
        return (
            f"Trigger price for stoploss {terms.side.lower()} orders should be {relation} "
            f"than the last traded price ({shown(last)})."
        )

    def _circuit(self, terms: Terms) -> str | None:
        low, high = self._board.circuit_limits(terms.instrument)
        prices = [price for price in (terms.price, terms.trigger_price) if price]
        if not high or not prices:
            return None
        if max(prices) > high:
            return self._circuit_text(terms, Side.BUY)
        return self._circuit_text(terms, Side.SELL) if min(prices) < low else None

    def _circuit_text(self, terms: Terms, side: Side) -> str:
        low, high = self._board.circuit_limits(terms.instrument)
        relation, name, limit = ("higher", "upper", high) if side is Side.BUY else ("lower", "lower", low)
        return (
            f"Your order price is {relation} than the current {name} circuit limit of {shown(limit)}. "
            "Place an order within the daily range."
        )

    def margin(self, terms: Terms, quantity: int) -> str | None:
        """Why an order cannot be paid for; None when it can."""
        required = self._account.required(terms, quantity, self._price(terms)).total
        available = self._account.funds().net
        return _margin_text(shown(required), shown(available)) if required > available else None

    def over_freeze(self, instrument: Instrument, quantity: int) -> str | None:
        """Why one order cannot be that large; None when it can."""
        freeze = self.freeze(instrument)
        return freeze_text(instrument, freeze) if freeze is not None and quantity > freeze else None


def _margin_text(required: str, available: str) -> str:
    return f"Insufficient funds. Required margin is {required} but available margin is {available}."


def freeze_text(instrument: Instrument, freeze: int) -> str:
    """As Kite words it."""
    return f"Order quantity exceeds the freeze quantity of {freeze} for {instrument.tradingsymbol}."
