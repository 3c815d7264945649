"""Brackets: an entry's own exits, of which one cancels the other, above every broker.

A bracket sends exits for what its entry has filled. Its stop loss rests at the exchange; its target is watched, and is
sent as a limit order when the price has reached it and the stop is known to be cancelled. So the units that its
exits may still fill, together with those that have left, are never more than the entry bought (or sold): there is no
moment in which both exits work for the same unit, whatever fills, fails or is reported late. With a target alone, the
target rests.

A strategy's own exit takes its units from the bracket (`Claim`): it waits until the bracket's exits for them have
ended. All this is looked at when the market's clock moves (`Glance`), from where the orders stand then: a bracket
remembers what it has sent, and nothing that could be wrong after a crash.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from models.messages import ids
from models.messages.orders import OrderStatus, OrderType, PlannedOrder, Product, Validity
from trading.market.sessions import trading_day

if TYPE_CHECKING:
    from trading.orders.state import OrderRecord

DEADLINE_SECONDS = 10  # how long an exit at the market, a cancel, or a failed exit is given before the next
MOST_FAILURES = 3  # of resting exits on a day, before they are only watched


class Role(StrEnum):
    """What an exit is for."""

    STOP = "stop"  # rests at the stop loss
    TARGET = "target"  # a limit at the target
    OUT = "out"  # out at the market: the stop loss was reached and no stop is working


class Exit(msgspec.Struct, kw_only=True):
    """One exit that was sent; `cancelled_at` is the second in which its cancel was, 0 for never."""

    role: Role
    quantity: int
    sent_at: int
    cancelled_at: int = 0


class Claim(msgspec.Struct, array_like=True, frozen=True):
    """Units a strategy's own exit has of a bracket, after the first `skipped` units it fills."""

    units: int
    skipped: int


class Bracket(msgspec.Struct, kw_only=True):
    """What a bracket has done: `exits` and `claims` are by order id.

    `beyond_since` is the second since which the price has been beyond the stop loss, `entry_cancelled_at` the one in
    which the entry's rest was cancelled; 0 for neither.
    """

    wants: Role
    exits: dict[str, Exit] = {}
    claims: dict[str, Claim] = {}
    beyond_since: int = 0
    entry_cancelled_at: int = 0
    is_unprotected: bool = False


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """The market when its clock moves to `second`: the instrument's last tick before it, and what may be sent now."""

    second: int
    is_continuous: bool
    price: Decimal | None = None
    sequence: int = 0
    run_id: str
    received_ns: int = 0


class Plan(msgspec.Struct, kw_only=True):
    """What to do for one bracket; `cancels` are order ids with reasons."""

    bracket: Bracket
    sends: list[PlannedOrder] = []
    cancels: list[tuple[str, str]] = []
    alarm: str = ""


class Standing(msgspec.Struct, kw_only=True):
    """Units of an entry: `left` neither taken off by exits nor claimed, `covered` by exits that may still fill."""

    left: int
    covered: int
    working: dict[str, int]  # units by exit, newest last
    has_exited: bool


Find = Callable[[str], "OrderRecord | None"]


def new_bracket(order: PlannedOrder) -> Bracket | None:
    """The bracket of an entry that brings its exits."""
    if not order.has_exits:
        return None
    return Bracket(wants=Role.TARGET if order.stop_loss is None else Role.STOP)


def standing(entry: OrderRecord, find: Find) -> Standing:
    """How an entry's units stand. Exits nobody has heard of yet work in full."""
    bracket = entry.bracket or Bracket(wants=Role.STOP)
    exited, working = 0, {}
    for exit_id, one in bracket.exits.items():
        record = find(exit_id)
        filled = 0 if record is None else record.filled_quantity
        exited += filled
        if record is None or record.is_open:
            working[exit_id] = max(0, one.quantity - filled)
    claimed = sum(_claimed(claim, find(order_id)) for order_id, claim in bracket.claims.items())
    return Standing(
        left=entry.filled_quantity - exited - claimed,
        covered=sum(working.values()),
        working=working,
        has_exited=exited > 0,
    )


def _claimed(claim: Claim, record: OrderRecord | None) -> int:
    """Units that a claim holds: all while its order works, then those it has filled."""
    if record is None or record.is_open:
        return claim.units
    return min(claim.units, max(0, record.filled_quantity - claim.skipped))


def is_over(entry: OrderRecord, find: Find) -> bool:
    """True when there is nothing more to do, unless a late fill is reported."""
    if entry.is_open or entry.bracket is None:
        return entry.bracket is None
    found = standing(entry, find)
    return found.left <= 0 and not found.working


def has_lapsed(entry: OrderRecord, second: int) -> bool:
    """True when the position an entry made is gone with its day: brokers close intraday positions."""
    return entry.order.product is Product.MIS and trading_day(entry.order.event_time) < trading_day(second)


def exited_units(entry: OrderRecord, second: int, find: Find) -> int:
    """Units that exits sent on the second's trading day have taken off."""
    if entry.bracket is None:
        return 0
    day = trading_day(second)
    sent_then = [exit_id for exit_id, one in entry.bracket.exits.items() if trading_day(one.sent_at) == day]
    return sum(record.filled_quantity for record in map(find, sent_then) if record is not None)


def plan(entry: OrderRecord, glance: Glance, find: Find) -> Plan:
    """What to send and cancel now. Pure: `entry` is not changed. Raises nothing."""
    before = entry.bracket or Bracket(wants=Role.STOP)
    bracket = msgspec.structs.replace(before, exits={key: _copy(one) for key, one in before.exits.items()})
    made = Plan(bracket=bracket)
    found = standing(entry, find)
    if glance.is_continuous and found.left > 0:
        _look_at_the_price(bracket, entry.order, glance, found)
    _cancel_the_entrys_rest(made, entry, glance, found)
    _cancel_exits(made, glance, found)
    missing = found.left - found.covered
    if missing > 0 and glance.is_continuous and not has_lapsed(entry, glance.second):
        _send(made, entry, glance, missing, find)
    return made


def _copy(one: Exit) -> Exit:
    return Exit(role=one.role, quantity=one.quantity, sent_at=one.sent_at, cancelled_at=one.cancelled_at)


def _look_at_the_price(bracket: Bracket, order: PlannedOrder, glance: Glance, found: Standing) -> None:
    if glance.price is None or bracket.wants is Role.OUT:
        return
    sign = order.side.sign
    if order.stop_loss is not None and (glance.price - order.stop_loss) * sign <= 0:
        bracket.beyond_since = bracket.beyond_since or glance.second
        stops = any(bracket.exits[exit_id].role is Role.STOP for exit_id in found.working)
        if not stops or glance.second - bracket.beyond_since >= DEADLINE_SECONDS:
            bracket.wants = Role.OUT
        return
    bracket.beyond_since = 0
    if order.target is not None and (glance.price - order.target) * sign >= 0:
        bracket.wants = Role.TARGET


def _cancel_the_entrys_rest(made: Plan, entry: OrderRecord, glance: Glance, found: Standing) -> None:
    bracket = made.bracket
    first = Role.TARGET if entry.order.stop_loss is None else Role.STOP
    leaves = found.has_exited or bool(bracket.claims) or bracket.wants is not first
    if entry.is_open and leaves and _may_cancel(bracket.entry_cancelled_at, glance):
        bracket.entry_cancelled_at = glance.second
        made.cancels.append((entry.order.order_id, "The position is being left"))


def _may_cancel(asked_at: int, glance: Glance) -> bool:
    return not asked_at or glance.second - asked_at >= DEADLINE_SECONDS


def _cancel_exits(made: Plan, glance: Glance, found: Standing) -> None:
    """Cancel exits of another role than the one wanted, those for claimed units, and those that found no market."""
    bracket, covered = made.bracket, found.covered
    for exit_id in reversed(found.working):
        one = bracket.exits[exit_id]
        reason = ""
        if one.role is not bracket.wants:
            reason = f"Its place is taken by the {bracket.wants.value}"
        elif covered > found.left:
            reason = "The strategy exits itself"
        elif one.role is Role.OUT and glance.second - one.sent_at >= DEADLINE_SECONDS:
            reason = "Not filled in time: it is priced again"
        if reason:
            covered -= found.working[exit_id]
            if _may_cancel(one.cancelled_at, glance):
                one.cancelled_at = glance.second
                made.cancels.append((exit_id, reason))


def _send(made: Plan, entry: OrderRecord, glance: Glance, quantity: int, find: Find) -> None:
    bracket = made.bracket
    failed = [
        one
        for exit_id, one in bracket.exits.items()
        if one.role is bracket.wants and not one.cancelled_at and _has_failed(find(exit_id))
        if trading_day(one.sent_at) == trading_day(glance.second)
    ]
    if failed and glance.second - failed[-1].sent_at < DEADLINE_SECONDS:
        return
    if bracket.wants is not Role.OUT and len(failed) >= MOST_FAILURES:
        if not bracket.is_unprotected:
            bracket.is_unprotected = True
            made.alarm = (
                f"The {bracket.wants.value} of {quantity} failed {len(failed)} times; its price is only watched"
            )
        return
    bracket.is_unprotected = False
    order = _exit(entry.order, bracket, glance, quantity)
    bracket.exits[order.order_id] = Exit(role=bracket.wants, quantity=quantity, sent_at=glance.second)
    made.sends.append(order)


def _has_failed(record: OrderRecord | None) -> bool:
    return record is not None and record.status.is_terminal and record.status is not OrderStatus.FILLED


def _exit(entry: PlannedOrder, bracket: Bracket, glance: Glance, quantity: int) -> PlannedOrder:
    order_id = ids.exit_id(entry.order_id, len(bracket.exits))
    kind = {Role.STOP: OrderType.SL_M, Role.TARGET: OrderType.LIMIT, Role.OUT: OrderType.MARKET}[bracket.wants]
    return PlannedOrder(
        order_id=order_id,
        signal_id=entry.signal_id,
        slice_number=entry.slice_number,
        account=entry.account,
        strategy=entry.strategy,
        instrument=entry.instrument,
        instrument_token=entry.instrument_token,
        side=entry.side.opposite,
        quantity=quantity,
        order_type=kind,
        limit_price=entry.target if bracket.wants is Role.TARGET else None,
        trigger_price=entry.stop_loss if bracket.wants is Role.STOP else None,
        market_protection=entry.market_protection,
        oco_group=entry.order_id,
        product=entry.product,
        validity=Validity.DAY,
        reduces=True,
        tag=ids.order_tag(order_id),
        event_time=glance.second,
        tick_sequence=glance.sequence,
        run_id=glance.run_id,
        frame_id=entry.frame_id,
        received_ns=glance.received_ns,
    )
