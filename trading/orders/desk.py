"""The order desk: which orders go out now, which wait, and what the brackets of filled entries send.

The same for the pipeline and for a backtest: it holds an index and no orders. Whoever stores the records gives a
`find`, stores each `Change` together with what its effects become, and tells the desk of every stored record (`note`).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from models.messages.orders import CancelSubmitted, OrderFailed, OrderStatus, PlannedOrder, Product
from trading.orders.brackets import (
    Claim,
    Find,
    Glance,
    exited_units,
    has_lapsed,
    is_over,
    new_bracket,
    plan,
    standing,
)
from trading.orders.state import Alarm, AlarmKind, OrderRecord, failure, submitted

Position = tuple[str, str, str, Product]  # account, strategy, instrument, product


class Send(msgspec.Struct, frozen=True):
    """A new order of ours goes out; it is admitted like every other."""

    order: PlannedOrder


class Release(msgspec.Struct, frozen=True):
    """An order that was held goes out."""

    order: PlannedOrder
    not_before: int
    after_sequence: int


Effect = Send | Release | CancelSubmitted | OrderFailed | Alarm


class Change(msgspec.Struct):
    """A record as it is from now on, and what follows from it."""

    record: OrderRecord
    effects: list[Effect] = []


class _Bracketed:
    """Orders of one position that has, or had today, entries with their own exits; ids in the order of arrival."""

    def __init__(self) -> None:
        self.entries: dict[str, None] = {}
        self.exits: dict[str, None] = {}  # the strategy's own
        self.held: dict[str, None] = {}
        self.is_active = False


class OrderDesk:
    """The bracketed positions of the orders it was told of."""

    def __init__(self, records: Iterable[OrderRecord] = ()) -> None:
        self._positions: dict[Position, _Bracketed] = {}
        self._tokens: dict[int, set[Position]] = {}
        known = sorted(records, key=_age)
        for record in (*known, *known):  # twice: an exit may be older than the first entry of its position
            self.note(record)

    def note(self, record: OrderRecord) -> None:
        """Take notice of a record that was stored."""
        order = record.order
        key = _position(order)
        if record.bracket is not None and key not in self._positions:
            self._positions[key] = _Bracketed()
            self._tokens.setdefault(order.instrument_token, set()).add(key)
        found = self._positions.get(key)
        if found is None:
            return
        found.is_active = True
        if record.bracket is not None:
            found.entries[order.order_id] = None
        elif not order.oco_group:
            found.exits[order.order_id] = None
        if record.held and record.is_open:
            found.held[order.order_id] = None
        else:
            found.held.pop(order.order_id, None)

    def forget(self, order: PlannedOrder) -> None:
        """An order's record was deleted."""
        key = _position(order)
        found = self._positions.get(key)
        if found is None:
            return
        for ids in (found.entries, found.exits, found.held):
            ids.pop(order.order_id, None)
        if found.entries:
            return
        del self._positions[key]
        self._tokens[order.instrument_token].discard(key)
        if not self._tokens[order.instrument_token]:
            del self._tokens[order.instrument_token]

    def needed(self, second: int, find: Find) -> set[str]:
        """Ids of the orders whose records a bracket that is not over still looks at, whatever their age."""
        found: set[str] = set()
        for position in self._positions.values():
            for entry in self._entries(position, second, find):
                if entry.bracket is not None and not is_over(entry, find):
                    found |= {entry.order.order_id, *entry.bracket.exits, *entry.bracket.claims}
        return found

    def admit(self, order: PlannedOrder, refusal: str = "") -> Change:
        """The record of an order whose intent is durable: to be sent, held, or denied with `refusal`.

        An exit from a bracketed position is held until the clock moves, when everything of its second is known.
        """
        record = submitted(order)
        if refusal:
            return _denied(record, refusal, order.event_time)
        if not order.oco_group:
            record.bracket = new_bracket(order)
            record.held = order.reduces and _position(order) in self._positions
        return Change(record)

    def adopt(self, order: PlannedOrder, broker_order_id: str, attempted_at: int, find: Find) -> list[Change]:
        """The record of an exit that is at the broker already, then those of brackets, which leave it its units."""
        record = submitted(order)
        record.broker_order_id, record.attempted_at = broker_order_id, attempted_at
        changes: dict[str, Change] = {order.order_id: Change(record)}
        position = self._positions.get(_position(order))
        if position is not None:
            self._claim(position, order, order.event_time, find, changes)
        return list(changes.values())

    @property
    def tokens(self) -> Iterable[int]:
        """Tokens of the instruments with bracketed positions."""
        return self._tokens.keys()

    def watched(self) -> list[int]:
        """Tokens of the instruments in which something may have to be done when the clock moves."""
        return [
            token
            for token, positions in self._tokens.items()
            if any(self._positions[position].is_active for position in positions)
        ]

    def order_ids(self, token: int) -> list[str]:
        """Ids of the orders that `look` may change, or has changed."""
        found = [self._positions[position] for position in sorted(self._tokens.get(token, ()))]
        return [order_id for position in found for order_id in (*position.entries, *position.exits)]

    def look(self, token: int, glance: Glance, find: Find) -> list[Change]:
        """What to do in an instrument now that the clock has moved. Records are changed by the caller only."""
        changes: dict[str, Change] = {}

        def current(order_id: str) -> OrderRecord | None:
            changed = changes.get(order_id)
            return find(order_id) if changed is None else changed.record

        for key in sorted(self._tokens.get(token, ())):
            position = self._positions[key]
            if position.is_active:
                self._look_at(position, glance, current, changes)
        return list(changes.values())

    def _look_at(self, position: _Bracketed, glance: Glance, find: Find, changes: dict[str, Change]) -> None:
        held = sorted((one for one in map(find, position.held) if one is not None), key=_age)
        for record in held:
            self._claim(position, record.order, glance.second, find, changes)
        for record in held:
            self._release(position, record, glance, find, changes)
        entries = self._entries(position, glance.second, find)
        for entry in entries:
            made = plan(entry, glance, find)
            effects: list[Effect] = [Send(order) for order in made.sends]
            effects += [_cancel(entry.order, order_id, reason, glance.second) for order_id, reason in made.cancels]
            if made.alarm:
                effects.append(Alarm(AlarmKind.UNPROTECTED, made.alarm))
            if made.bracket != entry.bracket:
                _put(changes, msgspec.structs.replace(entry, bracket=made.bracket), effects)
        position.is_active = bool(position.held) or any(not is_over(entry, find) for entry in entries)

    def _entries(self, position: _Bracketed, second: int, find: Find) -> list[OrderRecord]:
        found = [entry for entry in map(find, position.entries) if entry is not None]
        return sorted((entry for entry in found if not has_lapsed(entry, second)), key=_age)

    def _claim(
        self, position: _Bracketed, order: PlannedOrder, second: int, find: Find, changes: dict[str, Change]
    ) -> None:
        """Give a strategy's own exit its units of the brackets, oldest first, unless it has them."""
        entries = self._entries(position, second, find)
        if any(entry.bracket and order.order_id in entry.bracket.claims for entry in entries):
            return
        given = 0
        for entry in entries:
            if entry.bracket is None or entry.order.side is order.side:
                continue
            units = min(standing(entry, find).left, order.quantity - given)
            if units > 0:
                claims = {**entry.bracket.claims, order.order_id: Claim(units, given)}
                bracket = msgspec.structs.replace(entry.bracket, claims=claims)
                _put(changes, msgspec.structs.replace(entry, bracket=bracket), [])
                given += units

    def _release(
        self, position: _Bracketed, record: OrderRecord, glance: Glance, find: Find, changes: dict[str, Change]
    ) -> None:
        """Send a held order once no exit works for its units; deny it when exits have taken what it was to take."""
        refusal = self._shortfall(position, record.order, find)
        if refusal:
            denied = _denied(msgspec.structs.replace(record, held=False), refusal, glance.second)
            _put(changes, denied.record, denied.effects)
            return
        for entry in self._entries(position, glance.second, find):
            if entry.bracket is None or record.order.order_id not in entry.bracket.claims:
                continue
            found = standing(entry, find)
            if found.covered > max(0, found.left):
                return
        released = msgspec.structs.replace(record, held=False, not_before=glance.second, after_sequence=glance.sequence)
        _put(changes, released, [Release(record.order, glance.second, glance.sequence)])

    def _shortfall(self, position: _Bracketed, order: PlannedOrder, find: Find) -> str:
        """Why an exit would take more than there is: the brackets have taken units risk had not heard of."""
        entries = self._entries(position, order.event_time, find)
        more = sum(exited_units(entry, order.event_time, find) for entry in entries) - order.exits_seen
        return f"The entry's own exits have taken {more} units meanwhile" if more > 0 else ""


def _age(record: OrderRecord) -> tuple[int, int, str]:
    """Oldest first, whatever the order of their arrival."""
    order = record.order
    return order.event_time, order.tick_sequence, order.order_id


def _position(order: PlannedOrder) -> Position:
    return order.account, order.strategy, order.instrument, order.product


def _put(changes: dict[str, Change], record: OrderRecord, effects: list[Effect]) -> None:
    before = changes.get(record.order.order_id)
    changes[record.order.order_id] = Change(record, [*(before.effects if before else []), *effects])


def _denied(record: OrderRecord, reason: str, at: int) -> Change:
    record.status, record.reason, record.held = OrderStatus.DENIED_LATE, reason, False
    record.updated_at = max(record.updated_at, at)
    return Change(record, [failure(record, at)])


def _cancel(entry: PlannedOrder, order_id: str, reason: str, second: int) -> CancelSubmitted:
    return CancelSubmitted(
        order_id=order_id,
        account=entry.account,
        strategy=entry.strategy,
        instrument=entry.instrument,
        instrument_token=entry.instrument_token,
        reason=reason,
        event_time=second,
    )
