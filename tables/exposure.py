"""`exposure`: per account, what the risk manager knows: positions, open orders, the day's counts."""

from __future__ import annotations

from collections.abc import MutableMapping

from tables.states import StateTable
from trading.risk.exposure import Exposure

NAME = "exposure"
HELP = "Positions, open orders and the day's counts, by account"


def exposure_table(raw: MutableMapping[str, bytes]) -> StateTable[Exposure]:
    """Typed view; keys are accounts (`paper:main`)."""
    return StateTable(raw, Exposure)
