"""Freeze quantities: the largest quantity of one order in a contract, by underlying, dated. Not in Kite's dump."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from pydantic import BaseModel, ConfigDict, Field, PositiveInt


class FreezeQuantities(BaseModel):
    """What holds from a day on, in units, for the underlyings named; others keep what held before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    from_day: date = Field(alias="from")
    source: str
    quantities: dict[str, PositiveInt]


def freeze_quantities_on(day: date, periods: Iterable[FreezeQuantities]) -> dict[str, int]:
    """Quantities in force on a day, by underlying; empty before the first period."""
    found: dict[str, int] = {}
    for period in sorted(periods, key=lambda one: one.from_day):
        if period.from_day <= day:
            found |= period.quantities
    return found
