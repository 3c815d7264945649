"""`book`: per instrument, the orders that rest on the paper exchange."""

from __future__ import annotations

from collections.abc import MutableMapping

from tables.states import StateTable
from trading.matching.book import PaperBook

NAME = "book"
HELP = "Orders resting on the paper exchange, by instrument token"


def book_table(raw: MutableMapping[str, bytes]) -> StateTable[PaperBook]:
    """Typed view; keys are instrument tokens in decimal."""
    return StateTable(raw, PaperBook)
