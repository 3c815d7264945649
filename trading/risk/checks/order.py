"""Checks of the order itself: quantity, price, value."""

from __future__ import annotations

from decimal import Decimal

from trading.orders.rounding import MOST_SLICES, count_slices
from trading.risk.checks.base import Check, unusable
from trading.risk.codes import ReasonCode
from trading.risk.request import Denied, Request, denied

ZERO = Decimal(0)


class QuantityLimit(Check):
    """One order may only be so large."""

    code = ReasonCode.QUANTITY_LIMIT
    limits = ("max_order_quantity",)

    def check(self, request: Request) -> Denied | None:
        """Refuse above `max_order_quantity`."""
        quantity, most = request.quantity, request.limits.max_order_quantity
        if not most:
            return unusable(request.limits, self)
        if quantity <= most:
            return None
        message = f"Quantity {quantity} exceeds the limit of {most} for {request.signal.instrument}"
        return denied(self.code, message, quantity=quantity, limit=most)


class FreezeLimit(Check):
    """Slices below the freeze quantity, at most ten of them."""

    code = ReasonCode.TOO_MANY_SLICES
    passes_exits = False

    def check(self, request: Request) -> Denied | None:
        """Refuse what cannot be cut so."""
        one = request.instrument
        if one.freeze_quantity is None:
            return None
        count = count_slices(request.quantity, one.lot_size, one.freeze_quantity)
        if 0 < count <= MOST_SLICES or not request.quantity:
            return None
        message = f"Quantity {request.quantity} needs {count} slices of at most {one.freeze_quantity}"
        return denied(self.code, message, slices=count, limit=MOST_SLICES, freeze_quantity=one.freeze_quantity)


class TickSize(Check):
    """Prices on the tick."""

    code = ReasonCode.TICK_SIZE
    passes_exits = False

    def check(self, request: Request) -> Denied | None:
        """Refuse a limit or trigger that is not a positive multiple of the tick."""
        tick = request.instrument.tick_size
        for price in (request.limit_price, request.trigger_price):
            if price is not None and (price <= 0 or price % tick):
                return denied(self.code, f"{price} is no price in ticks of {tick}", price=price, tick_size=tick)
        return None


class PriceBand(Check):
    """Prices within the day's circuit band, or near the last close while the band is not known."""

    code = ReasonCode.PRICE_BAND
    limits = ("price_band_percent",)
    passes_exits = False

    def check(self, request: Request) -> Denied | None:
        """Refuse a limit or trigger outside the band, and entries at the market when the price seen is."""
        picture = request.market
        is_known = picture.price_band is not None or picture.previous_close is not None
        if request.limit_price is None and request.trigger_price is None and (request.reduces or not is_known):
            return None
        if not request.limits.price_band_percent:
            return unusable(request.limits, self)
        low, high = picture.price_band or self._around_close(request)
        for price in (request.price, request.trigger_price):
            if price is not None and not low <= price <= high:
                message = f"{price} is outside {low} to {high}, the day's band of {request.signal.instrument}"
                return denied(self.code, message, price=price, low=low, high=high)
        return None

    def _around_close(self, request: Request) -> tuple[Decimal, Decimal]:
        close = request.market.previous_close
        middle = request.signal.origin.price if close is None else close
        most = middle * request.limits.price_band_percent / 100
        return middle - most, middle + most


class PriceCollar(Check):
    """A limit price near the price the signal saw, or near its trigger."""

    code = ReasonCode.PRICE_COLLAR
    limits = ("price_collar_percent",)
    passes_exits = False

    def check(self, request: Request) -> Denied | None:
        """Refuse when it is off by more than `price_collar_percent`."""
        price, percent = request.limit_price, request.limits.price_collar_percent
        if price is None:
            return None
        if not percent:
            return unusable(request.limits, self)
        middle = request.signal.origin.price if request.trigger_price is None else request.trigger_price
        if abs(price - middle) <= middle * percent / 100:
            return None
        message = f"Limit price {price} is more than {percent} % from {middle}"
        return denied(self.code, message, price=price, seen=middle, limit=percent)


class OrderNotional(Check):
    """One order may only be worth so much."""

    code = ReasonCode.ORDER_NOTIONAL
    limits = ("max_order_notional",)

    def check(self, request: Request) -> Denied | None:
        """Refuse above `max_order_notional` rupees, and what is worth nothing."""
        notional, most = request.notional, request.limits.max_order_notional
        if not most:
            return unusable(request.limits, self)
        if ZERO < notional <= most:
            return None
        message = f"An order worth {notional} exceeds the limit of {most}"
        return denied(self.code, message, notional=notional, limit=most)
