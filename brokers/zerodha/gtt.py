"""Kite's good-till-triggered orders in the words of every broker. Source: Kite Connect documentation and mock files."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from brokers.zerodha.mapping import LONGEST_TEXT, BadRow, Row, read_count, read_decimal, read_text, read_time
from models.messages.orders import OrderType, Product, Side
from models.messages.protection import ProtectedPosition, TriggerTerms
from trading.orders.triggers import BrokerTrigger, Outcome

SINGLE, TWO_LEG = "single", "two-leg"


def trigger_fields(position: ProtectedPosition, terms: TriggerTerms, last_price: Decimal) -> Row:
    """Parameters of Kite's place_gtt and modify_gtt. Prices go as JSON numbers, of which each has one shortest text."""
    exchange, _, symbol = position.instrument.partition(":")
    return {
        "trigger_type": TWO_LEG if terms.is_two_leg else SINGLE,
        "exchange": exchange,
        "tradingsymbol": symbol,
        "trigger_values": [float(price) for price in terms.triggers],
        "last_price": float(last_price),
        "orders": [_leg(position.product, terms, limit) for limit in terms.limits],
    }


def _leg(product: Product, terms: TriggerTerms, limit: Decimal) -> Row:
    return {
        "transaction_type": terms.side.value,
        "quantity": terms.quantity,
        "order_type": OrderType.LIMIT.value,
        "product": product.value,
        "price": float(limit),
    }


def read_triggers(rows: Iterable[Row]) -> tuple[dict[str, BrokerTrigger], list[str]]:
    """Triggers by number, and what is wrong with rows that cannot be read."""
    found, problems = {}, []
    for row in rows:
        try:
            trigger = read_trigger(row)
        except BadRow as error:
            problems.append(str(error))
        else:
            found[trigger.trigger_id] = trigger
    return found, problems


def read_trigger(row: Row) -> BrokerTrigger:
    """One trigger of the list. Raises BadRow."""
    condition, legs = row.get("condition"), row.get("orders")
    if not isinstance(condition, dict) or not isinstance(legs, list) or not all(isinstance(leg, dict) for leg in legs):
        raise BadRow("A trigger has a condition and orders")
    return BrokerTrigger(
        trigger_id=_number(row),
        status=read_text(row, "status", required=True),
        instrument=f"{read_text(condition, 'exchange')}:{read_text(condition, 'tradingsymbol')}",
        product=read_text(legs[0], "product") if legs else "",
        terms=_terms(condition, legs),
        updated_at=read_time(row.get("updated_at")),
        outcomes=tuple(_outcome(number, leg["result"]) for number, leg in enumerate(legs) if leg.get("result")),
    )


def _number(row: Row) -> str:
    number = read_count(row, "id")
    if not number:
        raise BadRow("A trigger has a number")
    return str(number)


def _terms(condition: Row, legs: list[Row]) -> TriggerTerms | None:
    """None for a trigger of another kind than ours. Raises BadRow."""
    values = condition.get("trigger_values")
    if not isinstance(values, list):
        raise BadRow("trigger_values is no list")
    triggers = tuple(read_decimal({"trigger_values": value}, "trigger_values") for value in values)
    limits = tuple(read_decimal(leg, "price") for leg in legs)
    same = {
        (read_text(leg, "transaction_type"), read_text(leg, "product"), read_count(leg, "quantity")) for leg in legs
    }
    if len(same) != 1 or any(read_text(leg, "order_type") != OrderType.LIMIT for leg in legs):
        return None
    ((side, _, quantity),) = same
    if not quantity:
        return None
    try:
        return TriggerTerms(side=Side(side), quantity=quantity, triggers=triggers, limits=limits)
    except ValueError:
        return None


def _outcome(leg: int, result: Any) -> Outcome:
    told = result.get("order_result") if isinstance(result, dict) else None
    if not isinstance(told, dict):
        raise BadRow("A result tells what became of its order")
    return Outcome(
        leg=leg,
        order_id=read_text(told, "order_id"),
        reason=read_text(told, "rejection_reason")[:LONGEST_TEXT],
        at=read_time(result.get("timestamp")),
    )
