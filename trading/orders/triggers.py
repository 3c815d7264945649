"""Protective triggers of ours at the exchange: which they are, and what the broker's list says of them.

A trigger is ours because its number was kept, or because it has the terms of one that was asked for and never answered
and was not there before. Every other one is foreign and is never touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from models.messages import ids
from models.messages.orders import OrderType, PlannedOrder, Validity
from models.messages.protection import ProtectedPosition, TriggerAsked, TriggerGone, TriggerMessage, TriggerStands
from models.messages.protection import TriggerTerms as Terms
from trading.accounting.position import position_key

ACTIVE, TRIGGERED = "active", "triggered"
PATIENCE_SECONDS = 30  # how long a call may take to show in the broker's list
TRIGGER_RUN = "trigger"
NANOSECONDS = 1_000_000_000
NEVER_TAKEN = "The broker's list does not have it"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the order of a leg that was triggered at epoch second `at`; without a number none was placed."""

    leg: int
    order_id: str
    reason: str
    at: int


class BrokerTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger as the broker's list has it. `terms` are None for what we never ask for."""

    trigger_id: str
    status: str
    instrument: str
    product: str
    terms: Terms | None
    updated_at: int
    outcomes: tuple[Outcome, ...] = ()

    @property
    def is_active(self) -> bool:
        """True while it waits for its price."""
        return self.status == ACTIVE


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of the broker's list, asked for at `asked_at`. Unless it `is_whole`, nothing in it is missing."""

    triggers: Mapping[str, BrokerTrigger]
    asked_at: int
    is_whole: bool = True


class Mark(msgspec.Struct, frozen=True):
    """A trigger that was asked for, and has no number yet."""

    terms: Terms
    at: int
    others: tuple[str, ...] = ()


class TriggerRecord(msgspec.Struct, kw_only=True):
    """A position's triggers: numbers with the second since which they are known, and one that was asked for."""

    position: ProtectedPosition
    standing: dict[str, int] = {}
    asked: Mark | None = None

    @property
    def is_empty(self) -> bool:
        """True when nothing is there any more."""
        return not self.standing and self.asked is None


class Fired(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger of ours has placed an order: it becomes one of our orders, then the trigger is gone."""

    position: ProtectedPosition
    trigger_id: str
    terms: Terms
    outcome: Outcome


def order_of(fired: Fired) -> PlannedOrder:
    """The order a trigger has placed, as one of ours. The same trigger gives the same order."""
    position, leg, at = fired.position, fired.outcome.leg, fired.outcome.at
    order_id = ids.trigger_order_id(position.account, fired.trigger_id, leg)
    return PlannedOrder(
        order_id=order_id,
        signal_id=f"{TRIGGER_RUN}:{fired.trigger_id}",
        slice_number=0,
        account=position.account,
        strategy=position.strategy,
        instrument=position.instrument,
        instrument_token=position.instrument_token,
        side=fired.terms.side,
        quantity=fired.terms.quantity,
        order_type=OrderType.LIMIT,
        limit_price=fired.terms.limits[leg],
        product=position.product,
        validity=Validity.DAY,
        reduces=True,
        tag=ids.order_tag(order_id),
        event_time=at,
        tick_sequence=0,
        run_id=TRIGGER_RUN,
        frame_id=order_id,
        received_ns=at * NANOSECONDS,
    )


def is_of_trigger(order: PlannedOrder) -> bool:
    """True for an order that a trigger has placed. Its tag is not at the broker."""
    return order.run_id == TRIGGER_RUN


News = TriggerStands | TriggerGone | Fired


def key_of(position: ProtectedPosition) -> str:
    """Key of a position's triggers, as its account has it."""
    return position_key(position.strategy, position.instrument, position.product)


def fold_trigger(record: TriggerRecord | None, message: TriggerMessage) -> TriggerRecord:
    """Take a message into account. Pure: `record` is not changed. A repeat changes nothing."""
    standing = {} if record is None else dict(record.standing)
    asked = None if record is None else record.asked
    match message:
        case TriggerAsked():
            asked = Mark(message.terms, message.at, message.others)
        case TriggerStands():
            standing.setdefault(message.trigger_id, message.at)
            asked = None
        case TriggerGone():
            if message.trigger_id:
                standing.pop(message.trigger_id, None)
            else:
                asked = None
    return TriggerRecord(position=message.position, standing=standing, asked=asked)


def news_of(records: Mapping[str, TriggerRecord], listing: Listing) -> list[News]:
    """What the list says that we do not know yet. Pure; raises nothing."""
    owned = {number for record in records.values() for number in record.standing}
    news: list[News] = []
    for record in records.values():
        news += _ended(record, listing)
        if record.asked is not None:
            news += _answer(record.position, record.asked, listing, owned)
    return news


def _ended(record: TriggerRecord, listing: Listing) -> Iterator[News]:
    for number, since in record.standing.items():
        found = listing.triggers.get(number)
        if found is None:
            if listing.is_whole and listing.asked_at - since >= PATIENCE_SECONDS:
                yield _gone(record.position, listing, number, NEVER_TAKEN)
        elif not found.is_active:
            yield from _fired(record.position, found, listing)


def _fired(position: ProtectedPosition, found: BrokerTrigger, listing: Listing) -> Iterator[News]:
    outcome = next((one for one in found.outcomes if one.order_id), None)
    if outcome is not None and found.terms is not None:
        yield Fired(position=position, trigger_id=found.trigger_id, terms=found.terms, outcome=outcome)
    elif not is_undecided(found, listing):
        reasons = [one.reason for one in found.outcomes]
        yield _gone(position, listing, found.trigger_id, f"The trigger is {found.status}: {', '.join(reasons) or '-'}")


def is_undecided(found: BrokerTrigger, listing: Listing) -> bool:
    """True when a trigger has fired, and what became of its order is not told yet."""
    is_late = listing.asked_at - found.updated_at >= PATIENCE_SECONDS
    return found.status == TRIGGERED and not found.outcomes and not is_late


def _answer(position: ProtectedPosition, mark: Mark, listing: Listing, owned: set[str]) -> Iterator[News]:
    for number, found in listing.triggers.items():
        is_new = number not in owned and number not in mark.others
        is_there = (found.instrument, found.product) == (position.instrument, position.product.value)
        if is_new and is_there and found.terms == mark.terms:
            owned.add(number)
            yield TriggerStands(position=position, trigger_id=number, at=mark.at)
            return
    if listing.is_whole and listing.asked_at - mark.at >= PATIENCE_SECONDS:
        yield _gone(position, listing, "", NEVER_TAKEN)


def _gone(position: ProtectedPosition, listing: Listing, number: str, reason: str) -> TriggerGone:
    return TriggerGone(position=position, trigger_id=number, reason=reason, at=listing.asked_at)
