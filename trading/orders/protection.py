"""Protective stops at the exchange: which triggers a position has to have, and what to do to get there.

A trigger is for what of a position no exit of ours is on its way for, so that never both sell the same unit. Zerodha's
triggers are for delivery in the cash market and for overnight derivatives, and wait at least 0.25 percent away from the
last price; source: zerodha.com/tos/gtt, and what its API answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from models.messages.orders import Product, Side
from models.messages.protection import ProtectedPosition
from models.messages.protection import TriggerTerms as Terms
from models.messages.ticks import to_rupees
from trading.accounting.account import Account
from trading.accounting.booked import recall
from trading.accounting.position import position_key
from trading.market.instruments import CASH_EXCHANGES, DERIVATIVE_EXCHANGES, Instrument
from trading.market.sessions import trading_day
from trading.orders.rounding import round_price, slice_quantity
from trading.orders.state import OrderRecord
from trading.orders.triggers import BrokerTrigger, Listing, TriggerRecord, is_undecided

NEAREST = Decimal("0.0025")
PERCENT = Decimal(100)


class Protection(BaseModel):
    """A strategy's option: percent from a position's average price to its stop and, with two legs, to its target."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stop_percent: Decimal = Field(gt=0, lt=100)
    target_percent: Decimal | None = Field(None, gt=0, lt=100)


def stored_protection(values: object) -> dict[str, str] | None:
    """The option as it is stored, from what somebody has written; None for none. Raises ValueError."""
    if not values:
        return None
    found = Protection.model_validate(values)
    return {name: str(value) for name, value in found.model_dump(exclude_none=True).items()}


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy's position. `exits` are units that orders of ours may still take off it.

    `is_settling` while fills have not all reached the account, whose average price is then not the last word.
    """

    position: ProtectedPosition
    quantity: int
    average_price: Decimal
    exits: int = 0
    is_settling: bool = False
    protection: Protection | None = None
    instrument: Instrument | None = None
    last_price: Decimal | None = None

    @property
    def left(self) -> int:
        """Units a trigger is wanted for."""
        return max(0, abs(self.quantity) - self.exits) if is_protectable(self) else 0


class PlaceTrigger(msgspec.Struct, frozen=True):
    """A new trigger. `last_price` is what the broker compares with."""

    position: ProtectedPosition
    terms: Terms
    last_price: Decimal


class ModifyTrigger(msgspec.Struct, frozen=True):
    """Other terms for a trigger."""

    position: ProtectedPosition
    trigger_id: str
    terms: Terms
    last_price: Decimal


class DeleteTrigger(msgspec.Struct, frozen=True):
    """A trigger nobody needs."""

    position: ProtectedPosition
    trigger_id: str


Action = PlaceTrigger | ModifyTrigger | DeleteTrigger
FindInstrument = Callable[[int], Instrument | None]


def is_protectable(held: Held) -> bool:
    """True when a stop is asked for, and the broker takes triggers for this product."""
    exchange = held.position.instrument.partition(":")[0]
    places = {Product.CNC: CASH_EXCHANGES, Product.NRML: DERIVATIVE_EXCHANGES}
    return held.protection is not None and exchange in places.get(held.position.product, ())


def held_positions(
    account: Account,
    orders: Iterable[OrderRecord],
    options: Mapping[str, Protection],
    find: FindInstrument,
    prices: Mapping[int, int],
) -> dict[str, Held]:
    """Every position by its key: the account's, and what orders have filled since it was published. Pure.

    `prices` are the last ones by instrument token, in 1/10,000 rupee.
    """
    found = {
        key: Held(
            position=_named(account.account, one.strategy, one.instrument, one.instrument_token, one.product),
            quantity=one.quantity,
            average_price=one.average_price,
        )
        for key, one in account.positions.items()
    }
    for record in orders:
        order = record.order
        key = position_key(order.strategy, order.instrument, order.product)
        name = _named(account.account, order.strategy, order.instrument, order.instrument_token, order.product)
        nothing = Held(position=name, quantity=0, average_price=Decimal(0))
        found[key] = _with_order(found.get(key, nothing), record, account)
    return {
        key: msgspec.structs.replace(
            one,
            protection=options.get(one.position.strategy),
            instrument=_instrument(one.position, find),
            last_price=_price(prices.get(one.position.instrument_token)),
        )
        for key, one in found.items()
    }


def _instrument(position: ProtectedPosition, find: FindInstrument) -> Instrument | None:
    """None for a token that belongs to something else today."""
    found = find(position.instrument_token)
    return found if found is not None and found.key == position.instrument else None


def _price(units: int | None) -> Decimal | None:
    return to_rupees(units) if units else None


def _named(account: str, strategy: str, instrument: str, token: int, product: Product) -> ProtectedPosition:
    return ProtectedPosition(
        account=account, strategy=strategy, instrument=instrument, instrument_token=token, product=product
    )


def _with_order(held: Held, record: OrderRecord, account: Account) -> Held:
    order, unbooked = record.order, 0
    if trading_day(record.updated_at).isoformat() >= account.day:
        booked = recall(account.orders, account.finished, order.order_id)
        unbooked = record.filled_quantity - booked.cumulative_quantity - sum(end - start for start, end in booked.ahead)
    return msgspec.structs.replace(
        held,
        quantity=held.quantity + order.side.sign * unbooked,
        exits=held.exits + exiting_units(record),
        is_settling=held.is_settling or unbooked != 0,
    )


def exiting_units(record: OrderRecord) -> int:
    """Units an order may still take off its strategy's position."""
    return max(0, record.order.quantity - record.filled_quantity) if record.is_open and record.order.reduces else 0


def plan(
    held: Mapping[str, Held],
    records: Mapping[str, TriggerRecord],
    listing: Listing,
    limit_percent: Decimal,
) -> list[Action]:
    """What to do so that each position has its trigger, in this order; nothing when all are in step.

    A position whose trigger has fired, or was asked for without an answer, is left alone. Pure; raises nothing.
    """
    actions: list[Action] = []
    for key in sorted({*held, *records}):
        record = records.get(key)
        triggers = _ours(record, listing)
        if triggers is None:
            continue
        one = held.get(key)
        if one is None or one.left == 0:
            actions += [_delete(found, record) for found in triggers if record is not None]
        else:
            actions += _keep(one, triggers, limit_percent)
    return actions


def _ours(record: TriggerRecord | None, listing: Listing) -> list[BrokerTrigger] | None:
    """A position's active triggers; None while nobody knows."""
    if record is None:
        return []
    found = [listing.triggers.get(number) for number in record.standing]
    known = [one for one in found if one is not None]
    if record.asked is not None or len(known) < len(found) or any(is_undecided(one, listing) for one in known):
        return None
    return [one for one in known if one.is_active]


def _delete(found: BrokerTrigger, record: TriggerRecord) -> DeleteTrigger:
    return DeleteTrigger(position=record.position, trigger_id=found.trigger_id)


def _keep(held: Held, triggers: list[BrokerTrigger], limit_percent: Decimal) -> Iterator[Action]:
    """One trigger with the right terms; of several the first is kept."""
    position = held.position
    kept = next(iter(triggers), None)
    for extra in triggers[1:]:
        yield DeleteTrigger(position=position, trigger_id=extra.trigger_id)
    quantity = _quantity(held)
    if kept is not None and _may_stay(held, kept, quantity, limit_percent):
        return
    price, terms = held.last_price, _terms(held, quantity, limit_percent)
    if kept is None:
        if price is not None and terms is not None and not held.is_settling:
            yield PlaceTrigger(position=position, terms=terms, last_price=price)
    elif price is None or terms is None or kept.terms is None:
        yield DeleteTrigger(position=position, trigger_id=kept.trigger_id)
    elif kept.terms.is_two_leg is terms.is_two_leg:
        yield ModifyTrigger(position=position, trigger_id=kept.trigger_id, terms=terms, last_price=price)
    else:
        yield DeleteTrigger(position=position, trigger_id=kept.trigger_id)
        yield PlaceTrigger(position=position, terms=terms, last_price=price)


def _quantity(held: Held) -> int:
    """What one order may have; the exchange refuses one above the freeze quantity."""
    if held.instrument is None:
        return held.left
    slices = slice_quantity(held.left, held.instrument.lot_size, held.instrument.freeze_quantity)
    return slices[0] if slices else 0


def _may_stay(held: Held, kept: BrokerTrigger, quantity: int, limit_percent: Decimal) -> bool:
    terms = kept.terms
    if terms is None or terms.side is not _closing(held) or held.protection is None:
        return False
    if held.is_settling or held.instrument is None:
        return terms.quantity <= held.left
    if terms.quantity != quantity or terms.is_two_leg is not (held.protection.target_percent is not None):
        return False
    tick = held.instrument.tick_size
    limits = tuple(_limit(trigger, terms.side, tick, limit_percent) for trigger in terms.triggers)
    return terms.limits == limits and all(
        nearest <= trigger <= wished if is_lower else wished <= trigger <= nearest
        for trigger, (is_lower, wished, nearest) in zip(terms.triggers, _legs(held, held.instrument), strict=True)
    )


def _terms(held: Held, quantity: int, limit_percent: Decimal) -> Terms | None:
    """What the trigger is to be now; None where the exchange has no price for it."""
    if held.instrument is None or held.last_price is None or not quantity:
        return None
    triggers = tuple(nearest for _, _, nearest in _legs(held, held.instrument))
    side, tick = _closing(held), held.instrument.tick_size
    limits = tuple(_limit(trigger, side, tick, limit_percent) for trigger in triggers)
    if min((*triggers, *limits)) <= 0:
        return None
    return Terms(side=side, quantity=quantity, triggers=triggers, limits=limits)


def _closing(held: Held) -> Side:
    return Side.SELL if held.quantity > 0 else Side.BUY


def _legs(held: Held, instrument: Instrument) -> list[tuple[bool, Decimal, Decimal]]:
    """For each leg, the lower one first: is it below the price, where it is to be, and where it may be just now.

    When the last price has come nearer than the broker allows, or is beyond, the trigger goes as near as it may.
    """
    option, side, tick = held.protection, _closing(held), instrument.tick_size
    if option is None:
        return []
    away = -1 if side is Side.SELL else 1
    moves = [away * option.stop_percent, *([] if option.target_percent is None else [-away * option.target_percent])]
    legs = []
    for move in sorted(moves):
        wished = round_price(held.average_price * (1 + move / PERCENT), tick, side)
        legs.append((move < 0, wished, _nearest(wished, held.last_price, tick, is_lower=move < 0)))
    return legs


def _nearest(wished: Decimal, last: Decimal | None, tick: Decimal, *, is_lower: bool) -> Decimal:
    if last is None:
        return Decimal(0) if is_lower else Decimal("Infinity")
    if is_lower:
        return min(wished, (last * (1 - NEAREST) / tick).to_integral_value(ROUND_FLOOR) * tick)
    return max(wished, (last * (1 + NEAREST) / tick).to_integral_value(ROUND_CEILING) * tick)


def _limit(trigger: Decimal, side: Side, tick: Decimal, percent: Decimal) -> Decimal:
    """The worst price to fill at: so many percent beyond the trigger, on the tick."""
    return round_price(trigger * (1 + side.sign * percent / PERCENT), tick, side)
