"""Margins of orders that are not placed, and the virtual contract note."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from aiohttp import web

from models.messages.ticks import to_units
from sandbox.broker import Broker
from sandbox.charges import Charges, charges
from sandbox.errors import invalid
from sandbox.margins import NOTHING, Requirement, requirement
from sandbox.money import rupees
from sandbox.order_form import choice, instrument
from sandbox.orders import Terms
from sandbox.rest.answers import json_body, success
from sandbox.vocabulary import OrderType, Product, Side, Variety

NO_CHARGES = Charges(*[Fraction(0)] * 5)


@dataclass(frozen=True, slots=True)
class Asked:
    """One order of a request."""

    terms: Terms
    price: int
    charges: Charges


class MarginEndpoints:
    """/margins and /charges."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [
            web.post("/margins/orders", self._orders),
            web.post("/margins/basket", self._basket),
            web.post("/charges/orders", self._charges),
        ]

    async def _orders(self, request: web.Request) -> web.Response:
        return success([self._margin(one) for one in await self._asked(request, "price")])

    async def _basket(self, request: web.Request) -> web.Response:
        asked = await self._asked(request, "price")
        initial = _sum([self._alone(one) for one in asked])
        considers = request.query.get("consider_positions", "True").lower() == "true"
        final = _sum([self._with_positions(one) for one in asked]) if considers else initial
        note = _charges_body(_added([one.charges for one in asked]), "")
        return success(
            {
                "initial": _margin_body(initial, NO_CHARGES),
                "final": _margin_body(final, NO_CHARGES),
                "orders": [] if request.query.get("mode") == "compact" else [self._margin(one) for one in asked],
                "charges": note,
            }
        )

    async def _charges(self, request: web.Request) -> web.Response:
        return success([_note(one) for one in await self._asked(request, "average_price")])

    async def _asked(self, request: web.Request, price_name: str) -> list[Asked]:
        body = await json_body(request)
        if not isinstance(body, list) or not all(isinstance(one, dict) for one in body):
            raise invalid("Expected a list of orders.")
        return [self._read(one, price_name) for one in body]

    def _read(self, given: dict[str, Any], price_name: str) -> Asked:
        fields = {name: str(value) for name, value in given.items() if value is not None}
        quantity = given.get("quantity")
        if not isinstance(quantity, int | Decimal) or quantity <= 0 or quantity != int(quantity):
            raise invalid("Invalid `quantity`.")
        terms = Terms(
            instrument=instrument(fields, self._broker.catalogue),
            variety=choice(fields, "variety", Variety, Variety.REGULAR),
            side=choice(fields, "transaction_type", Side),
            product=choice(fields, "product", Product),
            order_type=choice(fields, "order_type", OrderType),
            quantity=int(quantity),
        )
        price = _units(given.get(price_name)) or self._broker.board.last_price(terms.instrument)
        found = charges(terms.instrument, terms.side, terms.product, terms.quantity, price, self._broker.clock.day)
        return Asked(terms, price, found)

    def _alone(self, one: Asked) -> Requirement:
        terms = one.terms
        return requirement(self._broker.rules, terms.instrument, terms.side, terms.product, terms.quantity, one.price)

    def _with_positions(self, one: Asked) -> Requirement:
        return self._broker.account.required(one.terms, one.terms.quantity, one.price)

    def _margin(self, one: Asked) -> dict[str, Any]:
        found = one.terms.instrument
        named = {"type": "equity", "tradingsymbol": found.tradingsymbol, "exchange": found.exchange}
        return _margin_body(self._with_positions(one), one.charges, "stt") | named


def _sum(requirements: Sequence[Requirement]) -> Requirement:
    total = NOTHING
    for one in requirements:
        total = total.plus(one)
    return total


def _added(found: Sequence[Charges]) -> Charges:
    return Charges(
        sum((one.transaction_tax for one in found), Fraction(0)),
        sum((one.exchange_turnover for one in found), Fraction(0)),
        sum((one.sebi_turnover for one in found), Fraction(0)),
        sum((one.brokerage for one in found), Fraction(0)),
        sum((one.stamp_duty for one in found), Fraction(0)),
    )


def _units(value: object) -> int:
    try:
        units = to_units(Decimal(str(value or 0)))
    except (ArithmeticError, ValueError):
        units = -1
    if units < 0:
        raise invalid("Invalid `price`.")
    return units


def _note(one: Asked) -> dict[str, Any]:
    return {
        "transaction_type": one.terms.side.value,
        "tradingsymbol": one.terms.instrument.tradingsymbol,
        "exchange": one.terms.instrument.exchange,
        "variety": one.terms.variety.value,
        "product": one.terms.product.value,
        "order_type": one.terms.order_type.value,
        "quantity": one.terms.quantity,
        "price": rupees(one.price),
        "charges": _charges_body(one.charges, "stt"),
    }


def _margin_body(required: Requirement, found: Charges, tax_type: str = "") -> dict[str, Any]:
    return {
        "type": "",
        "tradingsymbol": "",
        "exchange": "",
        "span": rupees(required.span),
        "exposure": rupees(required.exposure),
        "option_premium": rupees(required.option_premium),
        "additional": 0,
        "bo": 0,
        "cash": 0,
        "var": rupees(required.var),
        "pnl": {"realised": 0, "unrealised": 0},
        "leverage": required.leverage,
        "charges": _charges_body(found, tax_type),
        "total": rupees(required.total),
    }


def _charges_body(found: Charges, tax_type: str) -> dict[str, Any]:
    gst = rupees(found.gst)
    return {
        "transaction_tax": rupees(found.transaction_tax),
        "transaction_tax_type": tax_type,
        "exchange_turnover_charge": rupees(found.exchange_turnover),
        "sebi_turnover_charge": rupees(found.sebi_turnover),
        "brokerage": rupees(found.brokerage),
        "stamp_duty": rupees(found.stamp_duty),
        "gst": {"igst": gst, "cgst": 0, "sgst": 0, "total": gst},
        "total": rupees(found.total),
    }
