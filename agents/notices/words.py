"""How figures read in notices, and how many lines a notice has."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

MOST_LINES = 10


def rupees(value: Decimal) -> str:
    """`-1,234.50`."""
    return f"{value:,.2f}"


def some(lines: Sequence[str], what: str) -> tuple[str, ...]:
    """The first lines, and how many `what` there are besides."""
    if len(lines) <= MOST_LINES:
        return tuple(lines)
    return (*lines[:MOST_LINES], f"and {len(lines) - MOST_LINES} more {what}")


def count(number: int, one: str, many: str = "") -> str:
    """`1 fill`, `2 fills`."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"
