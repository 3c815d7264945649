"""The last look at an order before its call: what Kite is to be told, compared with the instruments it has listed.

Every part of an order comes from those instruments. One that does not fit them was made from older ones, or by a bug.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import msgspec

from brokers.zerodha.mapping import PROTECTED, Row, order_fields
from models.messages.orders import PlannedOrder, check_protection
from trading.market.instruments import Instrument, InstrumentRegistry
from trading.risk.checks.instrument import products_of


class Wire(msgspec.Struct, frozen=True):
    """An order, the parameters it is sent with, and the instrument they name."""

    order: PlannedOrder
    fields: Row
    listed: Instrument


Look = Callable[[Wire], str]


def objection(order: PlannedOrder, registry: InstrumentRegistry, today: date) -> str:
    """Why an order must not be sent, as a sentence; empty when it may. Pure; raises nothing.

    Of an exit only what Kite is certain to refuse, and only by today's instruments: older ones keep no exit back.
    """
    return objection_to(order, order_fields(order), registry, today)


def objection_to(order: PlannedOrder, fields: Row, registry: InstrumentRegistry, today: date) -> str:
    """`objection` to the parameters an order is sent with."""
    exchange, symbol = fields["exchange"], fields["tradingsymbol"]
    if order.reduces and registry.days.get(exchange) != today:
        return ""
    listed = registry.by_key(f"{exchange}:{symbol}")
    if listed is None:
        return f"{exchange}:{symbol} is not among the loaded instruments"
    wire = Wire(order, fields, listed)
    return next(filter(None, (look(wire) for look in (OF_EXITS if order.reduces else OF_ENTRIES))), "")


def _lot(wire: Wire) -> str:
    quantity, lot = wire.fields["quantity"], wire.listed.lot_size
    if lot > 0 and quantity > 0 and quantity % lot == 0:
        return ""
    return f"A quantity of {quantity} is no multiple of the lot of {lot} of {wire.listed.key}"


def _tradable(wire: Wire) -> str:
    return "" if wire.listed.is_tradable else f"{wire.listed.key} is not traded"


def _token(wire: Wire) -> str:
    given, listed = wire.order.instrument_token, wire.listed.instrument_token
    if given == listed:
        return ""
    return f"The order was made for the token {given}; {wire.listed.key} has the token {listed}"


def _product(wire: Wire) -> str:
    allowed = sorted(products_of(wire.listed))
    if wire.fields["product"] in allowed:
        return ""
    return f"{wire.listed.key} is traded as {' or '.join(allowed)}, not as {wire.fields['product']}"


def _ticks(wire: Wire) -> str:
    tick = wire.listed.tick_size
    for name in ("price", "trigger_price"):
        price = wire.fields.get(name)
        if price is not None and Decimal(price) % tick:
            return f"A {name.replace('_', ' ')} of {price} is off the tick of {tick} of {wire.listed.key}"
    return ""


def _protection(wire: Wire) -> str:
    if wire.fields["order_type"] not in PROTECTED:
        return ""
    try:
        check_protection(Decimal(wire.fields.get("market_protection", 0)))
    except ValueError as error:
        return f"A {wire.fields['order_type']} order without protection is rejected: {error}"
    return ""


OF_EXITS: tuple[Look, ...] = (_lot,)
OF_ENTRIES: tuple[Look, ...] = (_tradable, _token, _product, _lot, _ticks, _protection)
