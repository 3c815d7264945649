"""What the checks look at: one signal, already sized."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from models.messages.orders import Side
from models.messages.signals import Signal
from trading.market.instruments import Instrument
from trading.risk.codes import ReasonCode
from trading.risk.exposure import Exposure
from trading.risk.limits import Limits
from trading.risk.market import MarketPicture


@dataclass(frozen=True)
class Denied:
    """A refusal: the code, one sentence, and the values compared."""

    code: ReasonCode
    message: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Request:
    """`quantity` units on `side`, cut into `slices`. `reduces` when the position only comes nearer to zero."""

    signal: Signal
    instrument: Instrument
    side: Side
    quantity: int
    slices: tuple[int, ...]
    limit_price: Decimal | None
    projected: int
    reduces: bool
    exposure: Exposure
    limits: Limits
    market: MarketPicture

    @property
    def price(self) -> Decimal:
        """What the order is valued at, rupees: its limit, or the price the signal saw."""
        return self.signal.origin.price if self.limit_price is None else self.limit_price

    @property
    def notional(self) -> Decimal:
        """Value of the order, rupees."""
        return self.quantity * self.price


def denied(code: ReasonCode, message: str, **values: object) -> Denied:
    """A refusal with its values as text."""
    return Denied(code, message, {name: str(value) for name, value in values.items()})
