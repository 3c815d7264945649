"""An order call's fields, read and judged: what comes out can be an order, or the call is refused with Kite's error.

Source: Kite Connect documentation, "Orders", and answers on its forum. Texts are like Kite's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

from models.messages.ticks import to_units
from sandbox.catalogue import Catalogue
from sandbox.errors import invalid
from sandbox.money import number
from sandbox.orders import Order, Terms
from sandbox.vocabulary import STOPS, UNPRICED, OrderType, Product, Side, Validity, Variety
from trading.market.instruments import CASH_EXCHANGES, Instrument

LONGEST_TAG = 20
LONGEST_TTL = 360
MOST_LEGS = 50
LARGEST_QUANTITY = 10**9
LARGEST_PRICE = Decimal(10**9)
Fields = Mapping[str, str]
Choice = TypeVar("Choice", bound=StrEnum)


def read_order(fields: Fields, variety: str, catalogue: Catalogue) -> Terms:
    """The terms of a new order. Raises Refused."""
    kind = _member(Variety, variety, "variety")
    terms = Terms(
        instrument=instrument(fields, catalogue),
        variety=kind,
        side=choice(fields, "transaction_type", Side),
        product=choice(fields, "product", Product),
        order_type=choice(fields, "order_type", OrderType),
        quantity=_count(fields, "quantity", required=True),
        validity=choice(fields, "validity", Validity, Validity.DAY),
        validity_ttl=_count(fields, "validity_ttl"),
        price=_price(fields, "price"),
        trigger_price=_price(fields, "trigger_price"),
        disclosed_quantity=_count(fields, "disclosed_quantity"),
        market_protection=_protection(fields),
        iceberg_legs=_count(fields, "iceberg_legs"),
        iceberg_quantity=_count(fields, "iceberg_quantity"),
        auction_number=fields.get("auction_number"),
        tag=fields.get("tag") or None,
    )
    problem = _variety(terms)
    if problem:
        raise invalid(problem)
    check_terms(terms)
    return terms


def read_changes(fields: Fields, order: Order) -> Terms:
    """The terms of an order after a modification. Raises Refused."""
    old = order.terms
    terms = replace(
        old,
        order_type=choice(fields, "order_type", OrderType, old.order_type),
        quantity=_count(fields, "quantity") or old.quantity,
        price=_price(fields, "price") or old.price,
        trigger_price=_price(fields, "trigger_price") or old.trigger_price,
        validity=choice(fields, "validity", Validity, old.validity),
        disclosed_quantity=_count(fields, "disclosed_quantity") or old.disclosed_quantity,
        market_protection=_protection(fields) or old.market_protection,
    )
    check_terms(terms)
    if terms.quantity <= order.filled_quantity:
        raise invalid("Quantity cannot be less than or equal to the quantity already filled.")
    return terms


def check_terms(terms: Terms) -> None:
    """Raises Refused for terms that do not fit together or do not fit the instrument."""
    for check in CHECKS:
        problem = check(terms)
        if problem:
            raise invalid(problem)


def instrument(fields: Fields, catalogue: Catalogue) -> Instrument:
    """The tradable instrument that is named. Raises Refused."""
    exchange, symbol = text(fields, "exchange"), text(fields, "tradingsymbol")
    found = catalogue.by_key(f"{exchange}:{symbol}")
    if found is None or not found.is_tradable:
        raise invalid("The instrument you are placing an order for has either expired or does not exist.")
    return found


def text(fields: Fields, name: str) -> str:
    """A field that must be there. Raises Refused."""
    value = fields.get(name, "")
    if not value:
        raise invalid(f"Missing or empty field `{name}`")
    return value


def choice(fields: Fields, name: str, kind: type[Choice], default: Choice | None = None) -> Choice:
    """One of a closed set. Raises Refused."""
    if default is not None and not fields.get(name):
        return default
    return _member(kind, text(fields, name), name)


def _member(kind: type[Choice], value: str, name: str) -> Choice:
    try:
        return kind(value)
    except ValueError:
        raise invalid(f"Invalid `{name}`.") from None


def _count(fields: Fields, name: str, *, required: bool = False) -> int:
    value = text(fields, name) if required else fields.get(name) or "0"
    if not (value.isascii() and value.isdigit()) or int(value) > LARGEST_QUANTITY:
        raise invalid(f"Invalid `{name}`.")
    if required and not int(value):
        raise invalid(f"Invalid `{name}`. It must be greater than 0.")
    return int(value)


def _price(fields: Fields, name: str) -> int:
    return to_units(_decimal(fields, name, lowest=Decimal(0), highest=LARGEST_PRICE))


def _protection(fields: Fields) -> Decimal:
    return _decimal(fields, "market_protection", lowest=Decimal(-1), highest=Decimal(100))


def _decimal(fields: Fields, name: str, lowest: Decimal, highest: Decimal) -> Decimal:
    try:
        value = Decimal(fields.get(name) or "0")
        if value.is_finite() and lowest <= value <= highest and (value >= 0 or value == -1):
            to_units(value)
            return value
    except (InvalidOperation, ValueError):
        pass
    raise invalid(f"Invalid `{name}`.")


NO_PROTECTION = (
    "Market orders without market protection are not allowed via API. Set `market_protection` or place a limit order."
)


def _prices_given(terms: Terms) -> str | None:
    if terms.order_type in STOPS and not terms.trigger_price:
        return "Missing or empty field `trigger_price`"
    if terms.order_type not in UNPRICED and not terms.price:
        return "Missing or empty field `price`"
    if terms.order_type in UNPRICED and not terms.market_protection:
        return NO_PROTECTION
    return None


def _stop_relation(terms: Terms) -> str | None:
    if terms.order_type is not OrderType.SL:
        return None
    if terms.side is Side.BUY and terms.trigger_price > terms.price:
        return "Trigger price for stoploss buy orders cannot be above the limit price."
    if terms.side is Side.SELL and terms.trigger_price < terms.price:
        return "Trigger price for stoploss sell orders cannot be below the limit price."
    return None


def _tick_size(terms: Terms) -> str | None:
    step = to_units(terms.instrument.tick_size)
    for name, price in (("price", terms.price), ("trigger price", terms.trigger_price)):
        if price % step:
            size = number(terms.instrument.tick_size)
            return f"Tick size for this script is {size}. Kindly enter {name} in the multiple of tick size."
    return None


def _lot(terms: Terms) -> str | None:
    lot = terms.instrument.lot_size
    if terms.quantity % lot:
        return f"Quantity should be in multiples of the lot size {lot}."
    if terms.disclosed_quantity > terms.quantity:
        return "Disclosed quantity cannot be more than the quantity."
    return None


def _tag(terms: Terms) -> str | None:
    return f"Tag cannot be longer than {LONGEST_TAG} characters." if len(terms.tag or "") > LONGEST_TAG else None


def _product(terms: Terms) -> str | None:
    is_cash = terms.instrument.exchange in CASH_EXCHANGES
    if terms.product in (Product.CNC, Product.MTF) and not is_cash:
        return f"Product {terms.product} is not allowed on {terms.instrument.exchange}."
    if is_cash and terms.product is Product.NRML:
        return f"Product NRML is not allowed on {terms.instrument.exchange}."
    if terms.product is Product.MIS and terms.instrument.tradingsymbol.endswith("-BE"):
        return "Intraday orders are not allowed for trade-to-trade stocks."
    return None


def _validity(terms: Terms) -> str | None:
    if terms.validity is Validity.TTL and not 1 <= terms.validity_ttl <= LONGEST_TTL:
        return f"`validity_ttl` must be from 1 to {LONGEST_TTL} minutes."
    if terms.validity is Validity.IOC and terms.order_type in STOPS:
        return "IOC is not allowed for stoploss orders."
    return None


def _variety(terms: Terms) -> str | None:
    match terms.variety:
        case Variety.ICEBERG:
            return _iceberg(terms)
        case Variety.CO:
            return _cover(terms)
        case Variety.AUCTION:
            return None if terms.auction_number else "Missing or empty field `auction_number`"
    return None


def _iceberg(terms: Terms) -> str | None:
    if not 2 <= terms.iceberg_legs <= MOST_LEGS:
        return f"`iceberg_legs` must be from 2 to {MOST_LEGS}."
    if terms.order_type not in (OrderType.LIMIT, OrderType.SL):
        return "Iceberg orders must be limit orders."
    size, lot = terms.iceberg_quantity, terms.instrument.lot_size
    if not size or size % lot or not size * (terms.iceberg_legs - 1) < terms.quantity <= size * terms.iceberg_legs:
        return "`iceberg_quantity` does not divide `quantity` into `iceberg_legs` legs."
    return None


def _cover(terms: Terms) -> str | None:
    if not terms.trigger_price:
        return "Missing or empty field `trigger_price`"
    if terms.order_type not in (OrderType.MARKET, OrderType.LIMIT) or terms.product is not Product.MIS:
        return "Cover orders must be intraday market or limit orders."
    return None


CHECKS: tuple[Callable[[Terms], str | None], ...] = (
    _prices_given,
    _stop_relation,
    _tick_size,
    _lot,
    _tag,
    _product,
    _validity,
)


def slices(quantity: int, freeze: int | None, lot: int) -> list[int]:
    """A quantity cut at the freeze quantity; one slice where none is known."""
    most = quantity if freeze is None else max(lot, freeze // lot * lot)
    full, rest = divmod(quantity, most)
    return [most] * full + ([rest] if rest else [])
