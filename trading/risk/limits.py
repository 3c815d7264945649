"""Limits of an account or of one strategy in it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Self

import msgspec

from models.messages.validation import MAX_MONEY


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Money in rupees, quantities in units, times in event seconds. All must be positive."""

    max_order_quantity: int
    max_position_quantity: int
    max_order_notional: Decimal
    max_gross_exposure: Decimal
    max_open_orders: int
    max_daily_trades: int
    max_daily_loss: Decimal
    price_collar_percent: Decimal
    stale_feed_seconds: int
    max_signal_age_seconds: int
    duplicate_window_seconds: int

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Limits from text or numbers by name. ValueError when one is missing, unknown, not positive or absurd."""
        missing = [name for name in cls.__struct_fields__ if values.get(name) is None]
        unknown = [name for name in values if name not in cls.__struct_fields__]
        if missing or unknown:
            raise ValueError(f"Limits missing: {missing}, unknown: {unknown}")
        return cls(**{name: cls._positive(name, values[name]) for name in cls.__struct_fields__})

    @classmethod
    def _positive(cls, name: str, value: Any) -> Any:
        try:
            number = Decimal(str(value))
        except InvalidOperation as error:
            raise ValueError(f"Limit {name} is {value!r}, not a number") from error
        if not number.is_finite() or not 0 < number <= MAX_MONEY:
            raise ValueError(f"Limit {name} is {value}, it must be above 0 and at most {MAX_MONEY}")
        if cls.__annotations__[name] != "int":
            return number
        if number != int(number):
            raise ValueError(f"Limit {name} is {value}, it must be a whole number")
        return int(number)
