"""`orders`: per order id, the order and where it stands."""

from __future__ import annotations

from collections.abc import MutableMapping

from tables.states import StateTable
from trading.orders.state import OrderRecord

NAME = "orders"
HELP = "Orders and where they stand, by order id"


def orders_table(raw: MutableMapping[str, bytes]) -> StateTable[OrderRecord]:
    """Typed view; keys are order ids."""
    return StateTable(raw, OrderRecord)
