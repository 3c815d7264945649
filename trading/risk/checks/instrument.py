"""Checks of what is traded, and how."""

from __future__ import annotations

from models.messages.orders import Product, Side
from trading.market.instruments import EQUITY, Instrument
from trading.market.sessions import trading_day
from trading.risk.checks.base import Check
from trading.risk.codes import ReasonCode
from trading.risk.request import Denied, Request, denied

# NSE's trade-for-trade series: every trade is settled by delivery.
TRADE_FOR_TRADE = ("-BE", "-BZ", "-ST")
OF_SHARES = frozenset({Product.CNC, Product.MIS})
OF_CONTRACTS = frozenset({Product.NRML, Product.MIS})
DELIVERY_ONLY = frozenset({Product.CNC})


def products_of(instrument: Instrument) -> frozenset[Product]:
    """The products an instrument is traded as."""
    if instrument.instrument_type != EQUITY:
        return OF_CONTRACTS
    return DELIVERY_ONLY if instrument.tradingsymbol.endswith(TRADE_FOR_TRADE) else OF_SHARES


class InstrumentTradable(Check):
    """Only what can be bought and sold today."""

    code = ReasonCode.INSTRUMENT_NOT_TRADABLE
    passes_exits = False

    def check(self, request: Request) -> Denied | None:
        """Refuse indices, instruments without lot or tick, and contracts after their expiry."""
        one, at = request.instrument, request.signal.origin.event_time
        if one.is_tradable and (one.expiry is None or trading_day(at) <= one.expiry):
            return None
        values = {"tick_size": one.tick_size, "lot_size": one.lot_size, "expiry": one.expiry}
        return denied(self.code, f"{one.key} cannot be traded on {trading_day(at)}", **values)


class ProductAllowed(Check):
    """Shares for delivery or intraday, contracts carried or intraday; trade-for-trade shares only for delivery."""

    code = ReasonCode.PRODUCT_NOT_ALLOWED

    def check(self, request: Request) -> Denied | None:
        """Refuse NRML for shares, CNC for contracts, MIS for trade-for-trade shares."""
        one, product = request.instrument, request.signal.product
        allowed = products_of(one)
        if product in allowed:
            return None
        names = " or ".join(sorted(allowed))
        message = f"{one.key} is traded as {names}, not as {product.value}"
        return denied(self.code, message, product=product.value, allowed=names)


class ShortSelling(Check):
    """Shares that are not held are sold intraday only; contracts may be."""

    code = ReasonCode.SHORT_SELLING

    def check(self, request: Request) -> Denied | None:
        """Refuse to sell more for delivery than is held and not being sold already."""
        if request.side is Side.BUY or request.signal.product is not Product.CNC:
            return None
        there = max(0, request.standing.extreme(Side.SELL) - request.quantity_before)
        message = f"Only {there} of {request.signal.instrument} are held for delivery and not being sold already"
        return denied(self.code, message, quantity=request.quantity, available=there)


class LotMultiple(Check):
    """Whole lots."""

    code = ReasonCode.LOT_MULTIPLE
    passes_exits = False

    def check(self, request: Request) -> Denied | None:
        """Refuse less than one lot, and quantities that are no multiple of it."""
        quantity, lot = request.quantity, request.instrument.lot_size
        if quantity > 0 and quantity % lot == 0:
            return None
        message = f"What {request.signal.instrument} is asked for makes {quantity} in lots of {lot}"
        return denied(self.code, message, quantity=quantity, lot_size=lot)
