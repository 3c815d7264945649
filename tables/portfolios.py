"""`portfolios`: per account, cash, positions by strategy, charges."""

from __future__ import annotations

from collections.abc import MutableMapping

from tables.states import StateTable
from trading.accounting.account import Account

NAME = "portfolios"
HELP = "Cash, positions and charges, by account"


def portfolios_table(raw: MutableMapping[str, bytes]) -> StateTable[Account]:
    """Typed view; keys are accounts (`paper:main`)."""
    return StateTable(raw, Account)
