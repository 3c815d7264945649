"""Bounds every decoded message has to keep: no NaN, no huge number, no endless text."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta

MAX_PRICE_UNITS = 2**46  # any packet's price fits, and it has room for 16 fractional bits in 64
MAX_QUANTITY = 2**53
MAX_MONEY = Decimal(10) ** 15
MAX_DECIMAL_PLACES = 12
LATEST_SECOND = 7_258_118_400  # 2200-01-01

Count = Annotated[int, Meta(ge=0, le=MAX_QUANTITY)]
Quantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]
SignedQuantity = Annotated[int, Meta(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]
PriceUnits = Annotated[int, Meta(ge=0, le=MAX_PRICE_UNITS)]
Seconds = Annotated[int, Meta(ge=0, le=LATEST_SECOND)]
Nanoseconds = Annotated[int, Meta(ge=0, le=LATEST_SECOND * 1_000_000_000)]
Text = Annotated[str, Meta(min_length=1, max_length=256)]
BrokerOrderId = Annotated[str, Meta(max_length=64)]
Note = Annotated[str, Meta(max_length=2000)]


@cache
def _decimals(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """Names of the fields that may hold a Decimal."""
    fields = msgspec.structs.fields(kind)
    return tuple(field.name for field in fields if Decimal in (field.type, *get_args(field.type)))


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all JSON message bodies: refuses decimals that are not finite or absurdly large."""

    def __post_init__(self) -> None:
        for name in _decimals(type(self)):
            value = getattr(self, name)
            if value is not None:
                check_decimal(name, value)


def check_decimal(name: str, value: Any) -> None:
    """Raise ValueError when `value` is a Decimal that is NaN, infinite or out of bounds."""
    if not isinstance(value, Decimal):
        return
    if not value.is_finite():
        raise ValueError(f"{name} is {value}, not a finite number")
    if value.copy_abs() > MAX_MONEY or value.as_tuple().exponent < -MAX_DECIMAL_PLACES:  # type: ignore[operator]
        raise ValueError(f"{name} is {value}, outside the accepted range")
