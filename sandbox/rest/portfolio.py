"""Positions and holdings."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from aiohttp import web

from sandbox.account import Holding
from sandbox.broker import Broker
from sandbox.clock import FORMAT
from sandbox.errors import invalid
from sandbox.money import average, number, rupees
from sandbox.order_form import choice, instrument
from sandbox.positions import Leg, Position
from sandbox.rest.answers import fields, success
from sandbox.vocabulary import Product, Side

NO_MTF = {"quantity": 0, "used_quantity": 0, "average_price": 0, "value": 0, "initial_margin": 0}
MIDNIGHT = FORMAT.replace("%H:%M:%S", "00:00:00")


class PortfolioEndpoints:
    """/portfolio."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [
            web.get("/portfolio/positions", self._positions),
            web.put("/portfolio/positions", self._convert),
            web.get("/portfolio/holdings", self._holdings),
        ]

    async def _positions(self, _: web.Request) -> web.Response:
        positions = self._broker.account.positions
        return success(
            {
                "net": [self._body(one, one.leg, one.overnight_quantity) for one in positions],
                "day": [self._body(one, one.day_leg, 0) for one in positions if one.has_day],
            }
        )

    def _body(self, one: Position, leg: Callable[[Side], Leg], overnight: int) -> dict[str, Any]:
        buy, sell = leg(Side.BUY), leg(Side.SELL)
        last, close = self._broker.board.last_price(one.instrument), self._broker.board.close(one.instrument)
        quantity = buy.quantity - sell.quantity
        value = sell.value - buy.value
        profit = value + quantity * last
        at_close = overnight * close - (one.overnight_side.sign * one.overnight.value if overnight else 0)
        side = buy if quantity > 0 else sell
        return {
            "tradingsymbol": one.instrument.tradingsymbol,
            "exchange": one.instrument.exchange,
            "instrument_token": one.instrument.instrument_token,
            "product": one.product.value,
            "quantity": quantity,
            "overnight_quantity": overnight,
            "multiplier": 1,
            "average_price": rupees(side.price if quantity else 0),
            "close_price": rupees(close if overnight else 0),
            "last_price": rupees(last),
            "value": rupees(value),
            "pnl": rupees(profit),
            "m2m": rupees(profit - at_close),
            "unrealised": rupees(profit),
            "realised": 0,
            **_leg_body("buy", buy, at_close if overnight > 0 else 0),
            **_leg_body("sell", sell, -at_close if overnight < 0 else 0),
            **_leg_body("day_buy", one.day_buy, None),
            **_leg_body("day_sell", one.day_sell, None),
        }

    async def _convert(self, request: web.Request) -> web.Response:
        given = await fields(request)
        quantity = given.get("quantity", "")
        if not (quantity.isascii() and quantity.isdigit() and int(quantity)):
            raise invalid("Invalid `quantity`.")
        self._broker.account.convert(
            instrument(given, self._broker.catalogue),
            choice(given, "transaction_type", Side),
            int(quantity),
            choice(given, "old_product", Product),
            choice(given, "new_product", Product),
        )
        return success(True)

    async def _holdings(self, _: web.Request) -> web.Response:
        return success([self._holding(one) for one in self._broker.account.holdings])

    def _holding(self, one: Holding) -> dict[str, Any]:
        last, close = self._broker.board.last_price(one.instrument), self._broker.board.close(one.instrument)
        change = last - close
        return {
            "tradingsymbol": one.instrument.tradingsymbol,
            "exchange": one.instrument.exchange,
            "instrument_token": one.instrument.instrument_token,
            "isin": f"INE{one.instrument.exchange_token:09d}",
            "product": Product.CNC.value,
            "price": 0,
            "quantity": one.total,
            "used_quantity": self._broker.account.used_quantity(one),
            "t1_quantity": one.t1_quantity,
            "realised_quantity": one.quantity,
            "authorised_quantity": 0,
            "authorised_date": self._broker.clock.day.strftime(MIDNIGHT),
            "authorisation": {},
            "opening_quantity": one.total,
            "short_quantity": 0,
            "collateral_quantity": 0,
            "collateral_type": "",
            "discrepancy": False,
            "average_price": rupees(one.average_price),
            "last_price": rupees(last),
            "close_price": rupees(close),
            "pnl": rupees(one.total * (last - one.average_price) if last else 0),
            "day_change": rupees(change),
            "day_change_percentage": number(average(change * 100, close) if close else Fraction(0)),
            "mtf": NO_MTF,
        }


def _leg_body(name: str, leg: Leg, at_close: int | None) -> dict[str, Any]:
    """`at_close` is what valuing the carried part at the previous close adds; None where Kite has no such field."""
    body = {
        f"{name}_quantity": leg.quantity,
        f"{name}_price": rupees(leg.price),
        f"{name}_value": rupees(leg.value),
    }
    return body if at_close is None else body | {f"{name}_m2m": rupees(leg.value + at_close)}
