"""`triggers`: per protected position, its triggers at the exchange."""

from __future__ import annotations

from collections.abc import MutableMapping

from tables.states import StateTable
from trading.orders.triggers import TriggerRecord

NAME = "triggers"
HELP = "Protective triggers at the exchange, by strategy, instrument and product"


def triggers_table(raw: MutableMapping[str, bytes]) -> StateTable[TriggerRecord]:
    """Typed view; keys are those of an account's positions."""
    return StateTable(raw, TriggerRecord)
