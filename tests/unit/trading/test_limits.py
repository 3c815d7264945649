"""Limits are refused when anything about them is doubtful: a missing limit is never a pass."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from faust_app.runtime.settings import RiskSettings
from tests.factories import limits
from trading.risk.limits import Limits

VALUES: dict[str, Any] = {name: str(value) for name, value in msgspec.structs.asdict(limits()).items()}


def test_limits_come_from_text_or_numbers() -> None:
    numbers = {name: float(value) for name, value in VALUES.items()}
    assert Limits.from_mapping(VALUES) == Limits.from_mapping(numbers) == limits()
    assert all(
        isinstance(value, int | Decimal) for value in msgspec.structs.asdict(Limits.from_mapping(numbers)).values()
    )


def test_the_settings_an_account_begins_with_are_limits() -> None:
    assert Limits.from_mapping(RiskSettings.model_validate({}).model_dump()).max_order_quantity == 5_000


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize(
    "bad", [None, "", "many", "NaN", "sNaN", "Infinity", float("nan"), float("inf"), 0, -1, True, "1e16", "1e999999999"]
)
def test_a_limit_that_is_no_amount_is_refused_by_name(name: str, bad: Any) -> None:
    with pytest.raises(ValueError, match=name):
        Limits.from_mapping({**VALUES, name: bad})


@pytest.mark.parametrize("name", VALUES)
def test_a_missing_limit_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=rf"missing: \['{name}'\]"):
        Limits.from_mapping({key: value for key, value in VALUES.items() if key != name})


def test_an_unknown_limit_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"unknown: \['max_luck'\]"):
        Limits.from_mapping({**VALUES, "max_luck": 1})


def test_a_count_must_be_whole_and_an_amount_need_not() -> None:
    with pytest.raises(ValueError, match=r"max_open_orders is 1\.5, it must be a whole number"):
        Limits.from_mapping({**VALUES, "max_open_orders": "1.5"})
    assert Limits.from_mapping({**VALUES, "max_daily_loss": "0.01"}).max_daily_loss == Decimal("0.01")
