"""Protective triggers at the exchange, by which the engine's own agent knows which of them are ours.

Nothing at the broker carries a mark of ours, so a trigger's number has to be kept. `TriggerAsked` is durable before the
only call that makes a trigger; without an answer the trigger is looked for by its terms.
"""

from __future__ import annotations

from decimal import Decimal

from models.messages.orders import Product, Side
from models.messages.ticks import to_units
from models.messages.validation import BrokerOrderId, Checked, Count, Note, Quantity, Seconds, Text, check_decimal


class ProtectedPosition(Checked, frozen=True, kw_only=True):
    """Whose position a trigger closes."""

    account: Text
    strategy: Text
    instrument: Text
    instrument_token: Count
    product: Product


class TriggerTerms(Checked, frozen=True, kw_only=True):
    """What a trigger does: one leg, or two of which one cancels the other, the lower one first. Prices in rupees.

    When the last price reaches `triggers[n]`, a limit order of `side` and `quantity` at `limits[n]` is placed.
    """

    side: Side
    quantity: Quantity
    triggers: tuple[Decimal, ...]
    limits: tuple[Decimal, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= len(self.triggers) == len(self.limits) <= 2:
            raise ValueError("A trigger has one leg or two, and a limit price for each")
        for price in (*self.triggers, *self.limits):
            check_decimal("price", price)
            if to_units(price) <= 0:
                raise ValueError(f"A price is {price}, it must be above 0")
        if len(self.triggers) > 1 and self.triggers[0] >= self.triggers[1]:
            raise ValueError("The lower trigger comes first")

    @property
    def is_two_leg(self) -> bool:
        """True with a target beside the stop."""
        return len(self.triggers) > 1


class TriggerAsked(Checked, frozen=True, kw_only=True):
    """`protection.asked` on `{b}.orders.updates`: from `at` on, by the wall clock, such a trigger may be there.

    `others` are the numbers of the instrument's triggers that were there before, whoever placed them.
    """

    position: ProtectedPosition
    terms: TriggerTerms
    at: Seconds
    others: tuple[BrokerOrderId, ...] = ()


class TriggerStands(Checked, frozen=True, kw_only=True):
    """`protection.stands` on `{b}.orders.updates`: the broker's trigger with this number is the position's."""

    position: ProtectedPosition
    trigger_id: Text
    at: Seconds


class TriggerGone(Checked, frozen=True, kw_only=True):
    """`protection.gone` on `{b}.orders.updates`: a trigger is no more; with no number, the one asked for never was."""

    position: ProtectedPosition
    trigger_id: BrokerOrderId = ""
    reason: Note
    at: Seconds


TriggerMessage = TriggerAsked | TriggerStands | TriggerGone
