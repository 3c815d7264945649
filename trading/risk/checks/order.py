"""Checks of the order itself: quantity, price, value."""

from __future__ import annotations

from decimal import Decimal

from trading.risk.codes import ReasonCode
from trading.risk.request import Denied, Request, denied


class QuantityLimit:
    """One order may only be so large."""

    passes_exits = True

    def check(self, request: Request) -> Denied | None:
        """Refuse above `max_order_quantity`."""
        quantity, most = request.quantity, request.limits.max_order_quantity
        if quantity <= most:
            return None
        message = f"Quantity {quantity} exceeds the limit of {most} for {request.signal.instrument}"
        return denied(ReasonCode.QUANTITY_LIMIT, message, quantity=quantity, limit=most)


class PriceCollar:
    """A limit price near the price the signal saw."""

    passes_exits = False

    def check(self, request: Request) -> Denied | None:
        """Refuse when it is off by more than `price_collar_percent`."""
        seen, price = request.signal.origin.price, request.limit_price
        if price is None:
            return None
        most = seen * request.limits.price_collar_percent / 100
        if price > 0 and abs(price - seen) <= most:
            return None
        message = f"Limit price {price} is more than {request.limits.price_collar_percent} % from {seen}"
        return denied(ReasonCode.PRICE_COLLAR, message, price=price, seen=seen)


class OrderNotional:
    """One order may only be worth so much."""

    passes_exits = True

    def check(self, request: Request) -> Denied | None:
        """Refuse above `max_order_notional` rupees."""
        notional, most = request.notional, request.limits.max_order_notional
        if Decimal(0) < notional <= most:
            return None
        message = f"An order worth {notional} exceeds the limit of {most}"
        return denied(ReasonCode.ORDER_NOTIONAL, message, notional=notional, limit=most)
