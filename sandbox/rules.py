"""What can be set about the exchange: limits of calls, price bands, freeze quantities, the account it begins with."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt

from sandbox.vocabulary import Product

Rupees = Annotated[Decimal, Field(ge=0, le=10**12, decimal_places=4)]
Key = Annotated[str, Field(pattern=r"^[A-Z]+:[^:]+$")]


class Strict(BaseModel):
    """Base of everything that can be written into a scenario: unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CallLimits(Strict):
    """Calls an account may make. Source: Kite Connect documentation and forum; `enabled: false` switches all off."""

    enabled: bool = True
    orders_per_second: PositiveInt = 10
    orders_per_minute: PositiveInt = 400
    orders_per_day: PositiveInt = 5_000
    quotes_per_second: PositiveInt = 1
    historical_per_second: PositiveInt = 3
    others_per_second: PositiveInt = 10
    modifications_per_order: PositiveInt = 25


class Rules(Strict):
    """How the exchange and the broker behave without any fault."""

    limits: CallLimits = CallLimits()
    session_hours: bool = True  # false: orders are taken and matched at any time
    band_percent: Annotated[Decimal, Field(gt=0, lt=100)] = Decimal(10)
    freeze_quantities: dict[Key, PositiveInt] = {}
    opening_cash: Rupees = Decimal(10_000_000)
    intraday_percent: Annotated[Decimal, Field(gt=0, le=100)] = Decimal(20)  # margin of MIS and CO
    span_percent: Annotated[Decimal, Field(gt=0, le=100)] = Decimal(12)
    exposure_percent: Annotated[Decimal, Field(gt=0, le=100)] = Decimal(3)
    never_answered_seconds: PositiveFloat = 3_600  # how long an unanswered call is held before it is dropped


class PlantedHolding(Strict):
    """Shares in the demat account."""

    instrument: Key
    quantity: NonNegativeInt
    average_price: Rupees
    t1_quantity: NonNegativeInt = 0


class PlantedPosition(Strict):
    """A position carried over from the day before, or with `overnight: false` one of today."""

    instrument: Key
    product: Product
    quantity: int
    average_price: Rupees
    overnight: bool = True


class PlantedFunds(Strict):
    """Cash the account has, or gains or loses."""

    opening_cash: Rupees | None = None
    payin: Annotated[Decimal, Field(decimal_places=4)] = Decimal(0)


class Planted(Strict):
    """What an account holds besides the cash of the rules."""

    holdings: tuple[PlantedHolding, ...] = ()
    positions: tuple[PlantedPosition, ...] = ()
