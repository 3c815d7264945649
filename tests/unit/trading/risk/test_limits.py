"""A limit is an amount above 0, or it is none and says why: a missing limit is never a pass."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faust_app.runtime.sections import RiskSettings
from tests.factories import limits
from trading.risk.limits import ACCOUNT_LIMITS, BOOK_LIMITS, NAMES, Limits, Source, amount, sources

VALUES: dict[str, Any] = {name: str(getattr(limits(), name)) for name in NAMES}


def test_limits_come_from_text_or_numbers() -> None:
    numbers = {name: float(value) for name, value in VALUES.items()}
    found = Limits.from_layers(VALUES)
    assert found == Limits.from_layers(numbers) == limits()
    assert all(type(getattr(found, name)) in (int, Decimal) for name in NAMES)
    assert found.unusable == {}


def test_later_layers_win_by_name() -> None:
    account, strategy = {"max_open_orders": "5", "max_daily_trades": 7}, {"max_open_orders": 3}
    found = Limits.from_layers(VALUES, account, strategy)
    assert (found.max_open_orders, found.max_daily_trades, found.max_order_quantity) == (3, 7, 1000)


def test_the_settings_are_the_first_layer() -> None:
    defaults = RiskSettings.model_validate({}).model_dump()
    assert list(defaults) == list(NAMES)
    assert Limits.from_layers(defaults).unusable == {}
    assert Limits.from_layers(defaults).max_order_quantity == 5_000


BAD = [None, "", "many", "NaN", "sNaN", "Infinity", float("nan"), float("inf"), 0, -1, True, "1e16", "1e999999999", {}]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", BAD, ids=repr)
def test_what_is_no_amount_allows_nothing_and_is_named(name: str, bad: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{name} "):
        amount(name, bad)
    for found in (Limits.from_layers(VALUES, {name: bad}), Limits(**{**VALUES, name: bad})):
        assert getattr(found, name) == 0
        assert list(found.unusable) == [name]
        assert found.unusable[name].startswith(f"{name} is ")


def test_nothing_given_is_nothing_usable() -> None:
    for found in (Limits(), Limits.from_layers()):
        assert list(found.unusable) == list(NAMES)


def test_a_name_nobody_knows_changes_nothing() -> None:
    assert Limits.from_layers(VALUES, {"max_luck": 1, "unusable": {}}) == limits()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("max_open_orders", "1.5", "max_open_orders is 1.5, it must be a whole number"),
        ("max_daily_loss", "0.0000000000001", "max_daily_loss is 0.0000000000001, it has more than 12 decimal places"),
        ("max_daily_loss", "0", "max_daily_loss is 0, it must be above 0 and at most 1000000000000000"),
        ("price_band_percent", "100.01", "price_band_percent is 100.01, it must be above 0 and at most 100"),
        ("order_rate_seconds", "61", "order_rate_seconds is 61, it must be above 0 and at most 60"),
        ("max_open_orders", 2**53 + 1, f"max_open_orders is {2**53 + 1}, it must be above 0 and at most {2**53}"),
        ("max_daily_loss", "1e15x", "max_daily_loss is '1e15x', not a number"),
        ("max_daily_loss", None, "max_daily_loss is missing"),
        ("max_daily_loss", True, "max_daily_loss is True, not a number"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(name: str, value: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match="^" + sentence.replace(".", r"\.") + "$"):
        amount(name, value)


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("max_daily_loss", " 0.01 ", Decimal("0.01")),
        ("max_daily_loss", "0.000000000001", Decimal("0.000000000001")),
        ("max_daily_loss", "1000000000000000", Decimal(10**15)),
        ("price_band_percent", 100, Decimal(100)),
        ("order_rate_seconds", 60.0, 60),
        ("max_open_orders", "1e3", 1000),
        ("max_open_orders", 2**53, 2**53),
    ],
)
def test_amounts_at_their_bounds(name: str, value: Any, found: Any) -> None:
    assert amount(name, value) == found
    assert type(amount(name, value)) is type(found)


@given(
    st.dictionaries(st.sampled_from(NAMES), st.one_of(st.none(), st.floats(), st.integers(), st.text(), st.binary()))
)
def test_no_value_raises(values: dict[str, Any]) -> None:
    found = Limits.from_layers(VALUES, values)
    for name in NAMES:
        assert (getattr(found, name) > 0) is (name not in found.unusable)


def test_where_a_value_comes_from() -> None:
    found = sources(
        {
            Source.DEFAULT: VALUES,
            Source.ACCOUNT: {"max_open_orders": 5, "max_daily_loss": 1, "max_luck": 1},
            Source.STRATEGY: {"max_open_orders": None},
        }
    )
    assert list(found) == list(NAMES)
    assert (found["max_open_orders"], found["max_daily_loss"], found["max_daily_trades"]) == (
        Source.STRATEGY,
        Source.ACCOUNT,
        Source.DEFAULT,
    )


def test_every_limit_named_by_scope_exists() -> None:
    assert set(BOOK_LIMITS) | set(ACCOUNT_LIMITS) < set(NAMES)
    assert not set(BOOK_LIMITS) & set(ACCOUNT_LIMITS)


def test_limits_do_not_change() -> None:
    with pytest.raises(AttributeError):
        limits().max_open_orders = 1  # type: ignore[misc]
    assert msgspec.structs.replace(limits(), max_open_orders=-1).unusable.keys() == {"max_open_orders"}
