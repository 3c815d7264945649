"""A brokerage calculator: what a set of executed orders in one segment costs, and what is left of its profit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_UP, ROUND_UP, Decimal

import msgspec

from models.messages.orders import Side
from trading.charges.charges import Charges, charges_for, on_contract_note
from trading.charges.rates import SegmentKind

PAISA = Decimal("0.01")
ZERO = Decimal(0)


class Leg(msgspec.Struct, frozen=True):
    """One executed order; price in rupees, quantity in units."""

    side: Side
    quantity: int
    price: Decimal

    @property
    def turnover(self) -> Decimal:
        """Rupees traded."""
        return self.quantity * self.price


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """Charges of each leg and of all; profit of the `closed_quantity` that was both bought and sold, to the paisa.

    `break_even_points` is how many rupees a unit the average sell has to be above the average buy; None while nothing
    is closed.
    """

    legs: tuple[tuple[Leg, Charges], ...]
    charges: Charges
    turnover: Decimal
    closed_quantity: int
    open_quantity: int
    gross: Decimal
    net: Decimal
    break_even_points: Decimal | None


def estimate(
    kind: SegmentKind, exchange: str, legs: Sequence[Leg], day: date, *, contract_note: bool = False
) -> Estimate:
    """What the legs cost on `day`; with `contract_note` the sum's STT and stamp duty are rounded to the rupee."""
    charged = tuple((leg, charges_for(kind, exchange, leg.side, leg.turnover, day)) for leg in legs)
    total = sum((charges for _, charges in charged), Charges())
    if contract_note:
        total = on_contract_note(total)
    bought, paid = _of(legs, Side.BUY)
    sold, got = _of(legs, Side.SELL)
    closed = min(bought, sold)
    gross = closed * got / sold - closed * paid / bought if closed else ZERO
    return Estimate(
        legs=charged,
        charges=total,
        turnover=paid + got,
        closed_quantity=closed,
        open_quantity=bought - sold,
        gross=_paise(gross),
        net=_paise(gross - total.total),
        break_even_points=(total.total / closed).quantize(PAISA, ROUND_UP) if closed else None,
    )


def _of(legs: Sequence[Leg], side: Side) -> tuple[int, Decimal]:
    found = [leg for leg in legs if leg.side is side]
    return sum(leg.quantity for leg in found), sum((leg.turnover for leg in found), ZERO)


def _paise(amount: Decimal) -> Decimal:
    return amount.quantize(PAISA, ROUND_HALF_UP)
