"""Limits of an account, or of one strategy in it.

Three layers, the later ones win name by name: the defaults of the settings, what an operator set for the account,
what was set for the strategy there. A limit of one order or position is the strategy's. A limit of a whole book
(`BOOK_LIMITS`) binds twice: the account's value the account, the strategy's value the strategy's part of it, so no
strategy's limit can loosen its account's. Those of `ACCOUNT_LIMITS` are the account's alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, DecimalException
from enum import StrEnum
from typing import Any, Self, get_type_hints

import msgspec

from models.messages.validation import MAX_DECIMAL_PLACES, MAX_MONEY, MAX_QUANTITY

MOST_RATE_SECONDS = 60
PERCENT_MOST = Decimal(100)
MARGIN_LIMITS = ("equity_margin_percent", "futures_margin_percent", "short_option_margin_percent")
BOOK_LIMITS = (
    *("max_gross_exposure", "max_open_orders", "max_daily_trades", "max_daily_loss"),
    *("max_order_rate", "order_rate_seconds"),
)
ACCOUNT_LIMITS = ("max_drawdown_percent", *MARGIN_LIMITS)


class Source(StrEnum):
    """The layer a limit's value comes from."""

    DEFAULT = "default"
    ACCOUNT = "account"
    STRATEGY = "strategy"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Money in rupees, quantities in units, times in event seconds, percents of 100.

    A missing, unreadable or senseless amount is kept as 0, under which nothing passes, and named in `unusable` with
    what is wrong with it: whoever needs it refuses.
    """

    max_order_quantity: int = 0
    max_position_quantity: int = 0
    max_order_notional: Decimal = Decimal(0)
    max_gross_exposure: Decimal = Decimal(0)
    max_open_orders: int = 0
    max_daily_trades: int = 0
    max_order_rate: int = 0
    order_rate_seconds: int = 0
    max_daily_loss: Decimal = Decimal(0)
    max_drawdown_percent: Decimal = Decimal(0)
    price_collar_percent: Decimal = Decimal(0)
    price_band_percent: Decimal = Decimal(0)
    stale_feed_seconds: int = 0
    max_signal_age_seconds: int = 0
    duplicate_window_seconds: int = 0
    equity_margin_percent: Decimal = Decimal(0)
    futures_margin_percent: Decimal = Decimal(0)
    short_option_margin_percent: Decimal = Decimal(0)
    unusable: Mapping[str, str] = {}

    def __post_init__(self) -> None:
        unusable: dict[str, str] = {}
        for name in NAMES:
            try:
                value: int | Decimal = amount(name, getattr(self, name))
            except ValueError as error:
                value, unusable[name] = KINDS[name](0), str(error)
            msgspec.structs.force_setattr(self, name, value)
        msgspec.structs.force_setattr(self, "unusable", unusable)

    @classmethod
    def from_layers(cls, *layers: Mapping[str, Any]) -> Self:
        """Limits from text or numbers by name, later layers over earlier ones. Raises nothing; see `unusable`."""
        values = {name: value for layer in layers for name, value in layer.items() if name in KINDS}
        return cls(**values)


KINDS: dict[str, type[int] | type[Decimal]] = {
    name: kind for name, kind in get_type_hints(Limits).items() if name != "unusable"
}
NAMES = tuple(KINDS)


def amount(name: str, value: Any) -> int | Decimal:
    """The limit `name` as a number. ValueError, a sentence, when it is missing, no number or senseless."""
    if value is None or isinstance(value, bool):
        raise ValueError(f"{name} is missing" if value is None else f"{name} is {value}, not a number")
    try:
        number = Decimal(str(value).strip())
    except (DecimalException, ValueError):
        raise ValueError(f"{name} is {str(value)[:40]!r}, not a number") from None
    most = _most(name)
    if not number.is_finite() or not 0 < number <= most:
        raise ValueError(f"{name} is {str(value)[:40]}, it must be above 0 and at most {most}")
    if KINDS[name] is Decimal:
        if number != round(number, MAX_DECIMAL_PLACES):
            raise ValueError(f"{name} is {str(value)[:40]}, it has more than {MAX_DECIMAL_PLACES} decimal places")
        return number
    if number != int(number):
        raise ValueError(f"{name} is {value}, it must be a whole number")
    return int(number)


def _most(name: str) -> Decimal:
    if name.endswith("_percent"):
        return PERCENT_MOST
    if name == "order_rate_seconds":
        return Decimal(MOST_RATE_SECONDS)
    return MAX_MONEY if KINDS[name] is Decimal else Decimal(MAX_QUANTITY)


def sources(layers: Mapping[Source, Mapping[str, Any]]) -> dict[str, Source]:
    """By limit, the layer its value comes from; layers in rising order."""
    return {name: source for source, layer in layers.items() for name in layer if name in KINDS}
