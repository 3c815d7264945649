"""Freeze quantities are dated: what a day's orders are sliced at."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from trading.market.freeze_quantities import FreezeQuantities, freeze_quantities_on


def period(day: str, **quantities: int) -> FreezeQuantities:
    return FreezeQuantities.model_validate({"from": day, "source": "test", "quantities": quantities})


PERIODS = [period("2026-03-02", NIFTY=1500), period("2026-02-01", NIFTY=1800, BANKNIFTY=600)]


@pytest.mark.parametrize(
    ("day", "quantities"),
    [
        ("2026-01-31", {}),
        ("2026-02-01", {"NIFTY": 1800, "BANKNIFTY": 600}),
        ("2026-03-01", {"NIFTY": 1800, "BANKNIFTY": 600}),
        ("2026-03-02", {"NIFTY": 1500, "BANKNIFTY": 600}),
    ],
)
def test_a_period_holds_from_its_day_for_the_underlyings_it_names(day: str, quantities: dict[str, int]) -> None:
    assert freeze_quantities_on(date.fromisoformat(day), PERIODS) == quantities
    assert freeze_quantities_on(date.fromisoformat(day), PERIODS[::-1]) == quantities


@pytest.mark.parametrize("quantity", [0, -1, 1.5, "many", None])
def test_a_quantity_is_a_positive_count(quantity: object) -> None:
    with pytest.raises(ValidationError):
        FreezeQuantities.model_validate({"from": "2026-01-01", "source": "x", "quantities": {"NIFTY": quantity}})
