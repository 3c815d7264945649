"""Good-till-triggered orders: one or two last prices that each place a limit order when they are reached."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from itertools import count
from typing import Any

from models.messages.ticks import Tick, to_units
from sandbox.catalogue import Catalogue
from sandbox.clock import Clock
from sandbox.errors import Refused, invalid
from sandbox.order_form import instrument, read_order
from sandbox.orders import Order, Terms
from sandbox.vocabulary import OrderType, Status
from trading.market.instruments import Instrument

YEAR_SECONDS = 365 * 86_400
FIRST_ID = 100_000
NEAREST = Decimal("0.0025")  # a trigger has to be that far from the last price
NOT_TAKEN = (Status.REJECTED,)


class TriggerStatus(StrEnum):
    """States of a trigger."""

    ACTIVE = "active"
    TRIGGERED = "triggered"
    DELETED = "deleted"
    EXPIRED = "expired"


LEGS = {"single": 1, "two-leg": 2}


@dataclass(slots=True)
class Plan:
    """What is asked for: one trigger for each leg, the lower one first. Prices in units."""

    kind: str
    instrument: Instrument
    last_price: int
    triggers: list[int]
    legs: list[Terms]

    def reached(self, price: int) -> int | None:
        """The leg a last price triggers."""
        for leg, trigger in enumerate(self.triggers):
            is_upper = trigger > self.last_price if self.kind == "single" else leg == 1
            if price >= trigger if is_upper else price <= trigger:
                return leg
        return None


@dataclass(slots=True)
class Trigger:
    """One GTT. `results` holds for each leg what became of its order."""

    number: int
    plan: Plan
    created_at: float
    updated_at: float
    expires_at: float
    status: TriggerStatus = TriggerStatus.ACTIVE
    results: dict[int, dict[str, Any]] = field(default_factory=dict)


class GttBook:
    """All triggers. `place` takes the order of a leg and raises Refused when it is not taken."""

    def __init__(self, clock: Clock, place: Callable[[Terms], Order]) -> None:
        self._clock = clock
        self._place = place
        self._triggers: dict[int, Trigger] = {}
        self._watched: dict[int, list[Trigger]] = {}
        self._numbers = count(FIRST_ID)

    def __iter__(self) -> Iterator[Trigger]:
        return iter(self._triggers.values())

    def add(self, plan: Plan) -> Trigger:
        """From now on it is watched, for a year."""
        now = self._clock.now
        trigger = Trigger(next(self._numbers), plan, now, now, now + YEAR_SECONDS)
        self._triggers[trigger.number] = trigger
        self._watch()
        self._clock.at(trigger.expires_at, lambda: self._end(trigger, TriggerStatus.EXPIRED))
        return trigger

    def find(self, number: str) -> Trigger:
        """One that is not deleted. Raises Refused."""
        found = self._triggers.get(int(number)) if number.isascii() and number.isdigit() else None
        if found is None:
            raise Refused(404, "GeneralException", "Trigger not found.")
        return found

    def change(self, trigger: Trigger, plan: Plan) -> None:
        """Another plan. Raises Refused when it is no longer active."""
        self._must_be_active(trigger)
        trigger.plan, trigger.updated_at = plan, self._clock.now
        self._watch()

    def delete(self, trigger: Trigger) -> None:
        """No longer watched. Raises Refused when it is no longer active."""
        self._must_be_active(trigger)
        del self._triggers[trigger.number]
        self._end(trigger, TriggerStatus.DELETED)

    def _must_be_active(self, trigger: Trigger) -> None:
        if trigger.status is not TriggerStatus.ACTIVE:
            raise invalid(f"The trigger is {trigger.status}.")

    def _end(self, trigger: Trigger, status: TriggerStatus) -> None:
        if trigger.status is TriggerStatus.ACTIVE:
            trigger.status, trigger.updated_at = status, self._clock.now
        self._watch()

    def _watch(self) -> None:
        self._watched = {}
        for one in self._triggers.values():
            if one.status is TriggerStatus.ACTIVE:
                self._watched.setdefault(one.plan.instrument.instrument_token, []).append(one)

    def on_ticks(self, ticks: Sequence[Tick]) -> None:
        """Look at the instruments that have a trigger."""
        if not self._watched:
            return
        for tick in ticks:
            for trigger in list(self._watched.get(tick.instrument_token, ())):
                leg = trigger.plan.reached(tick.last_price_units)
                if leg is not None and trigger.status is TriggerStatus.ACTIVE:
                    self._fire(trigger, leg, tick.last_price_units)

    def _fire(self, trigger: Trigger, leg: int, price: int) -> None:
        self._end(trigger, TriggerStatus.TRIGGERED)
        try:
            order = self._place(trigger.plan.legs[leg])
        except Refused as refusal:
            outcome = {"status": "failed", "order_id": "", "rejection_reason": str(refusal)}
        else:
            failed = order.status in NOT_TAKEN
            outcome = {
                "status": "failed" if failed else "success",
                "order_id": order.order_id,
                "rejection_reason": order.message or "",
            }
        trigger.results[leg] = {"at": self._clock.now, "price": price, "order_result": outcome}


def read_plan(fields: dict[str, str], catalogue: Catalogue) -> Plan:
    """The fields of a GTT call. Raises Refused."""
    kind = fields.get("type", "")
    if kind not in LEGS:
        raise invalid("Invalid `type`.")
    condition, orders = _object(fields, "condition", dict), _object(fields, "orders", list)
    named = {name: str(condition.get(name, "")) for name in ("exchange", "tradingsymbol")}
    found = instrument(named, catalogue)
    values = condition.get("trigger_values")
    if not isinstance(values, list) or not len(values) == len(orders) == LEGS[kind]:
        raise invalid("Invalid `trigger_values`.")
    plan = Plan(
        kind,
        found,
        _units(condition.get("last_price"), "last_price"),
        [_units(value, "trigger_values") for value in values],
        [_leg(one, named, catalogue) for one in orders],
    )
    _check_triggers(plan)
    return plan


def _object(fields: dict[str, str], name: str, kind: type) -> Any:
    try:
        found = json.loads(fields.get(name, ""), parse_float=Decimal)
    except ValueError:
        found = None
    if not isinstance(found, kind):
        raise invalid(f"Invalid `{name}`.")
    return found


def _units(value: object, name: str) -> int:
    try:
        units = to_units(Decimal(str(value)))
    except (InvalidOperation, ValueError):
        units = 0
    if units <= 0:
        raise invalid(f"Invalid `{name}`.")
    return units


def _leg(given: Any, named: dict[str, str], catalogue: Catalogue) -> Terms:
    if not isinstance(given, dict):
        raise invalid("Invalid `orders`.")
    fields = {name: str(value) for name, value in given.items()} | named
    if fields.get("order_type") != OrderType.LIMIT:
        raise invalid("Only LIMIT orders are allowed for GTT.")
    terms = read_order(fields, "regular", catalogue)
    terms.source = "gtt"
    return terms


def _check_triggers(plan: Plan) -> None:
    for trigger in plan.triggers:
        if abs(trigger - plan.last_price) < plan.last_price * NEAREST:
            raise invalid("Trigger price is too close to the last price: it must be at least 0.25% away.")
    if plan.kind == "two-leg" and not plan.triggers[0] < plan.last_price < plan.triggers[1]:
        raise invalid("The triggers of a two-leg GTT must be below and above the last price, in this order.")
