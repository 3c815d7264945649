"""Follows differences from one reading to the next: what is in motion does not count, what is accepted does not block.

A difference of something that may have just changed, or is working, counts once it is still there a grace later and
our side of it has not moved since, or after a patience whatever moves. The state is a plain struct: it can be stored.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from trading.reconciliation.compare import DEFAULT, compare
from trading.reconciliation.difference import Difference, Readings, Tolerances
from trading.reconciliation.kinds import Severity


class EventKind(StrEnum):
    """What a reading has told of a difference."""

    APPEARED = "appeared"  # it counts from now on
    STILL = "still"  # it is there as before
    CHANGED = "changed"  # it is there with other values: nobody has accepted those
    RESOLVED = "resolved"  # it is no more


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One difference at one reading. It has counted since `since`, epoch seconds."""

    kind: EventKind
    difference: Difference
    since: float
    is_accepted: bool


class Open(msgspec.Struct, frozen=True):
    """A difference that counts."""

    difference: Difference
    since: float


class Pending(msgspec.Struct, frozen=True):
    """A difference in motion: seen first at `since`; our side has not moved since `steady_since`."""

    basis: str
    since: float
    steady_since: float


class Acceptance(msgspec.Struct, frozen=True):
    """An operator's word that a difference with this value is right. It ends with the value."""

    value: str
    seen_at: float


class ReconcilerState(msgspec.Struct):
    """All of it by key of the difference."""

    open: dict[str, Open] = {}
    pending: dict[str, Pending] = {}
    accepted: dict[str, Acceptance] = {}


class Blocked(msgspec.Struct, frozen=True):
    """Where no entry may go."""

    account: bool
    instruments: frozenset[str]


class Reconciler:
    """One account's differences. Not safe for use by several threads at once; does no I/O."""

    def __init__(self, state: ReconcilerState | None = None, tolerances: Tolerances = DEFAULT) -> None:
        self.state = ReconcilerState() if state is None else state
        self._tolerances = tolerances

    def step(self, readings: Readings, now: float) -> tuple[Event, ...]:
        """Take in one reading of both sides at `now`, epoch seconds. Raises nothing."""
        found = {one.key: one for one in compare(readings, now, self._tolerances)}
        events = [self._seen(one, now) for one in found.values()]
        told = {key: one.difference for key, one in self.state.open.items() if key not in found}
        gone = [key for key, one in told.items() if readings.can_tell(one, now)]
        kept = [key for key in told if key not in gone]
        events += [self._event(EventKind.STILL, self.state.open[key]) for key in kept]
        events += [self._event(EventKind.RESOLVED, self.state.open.pop(key)) for key in gone]
        self.state.pending = {key: one for key, one in self.state.pending.items() if key in found}
        self._forget({*found, *kept}, now)
        return tuple(event for event in events if event is not None)

    def accept(self, key: str, value: str, *, now: float) -> None:
        """Let a difference with this value, found already or not, block no more until its value changes."""
        self.state.accepted[key] = Acceptance(value, now)

    def blocking(self, severity: Severity) -> list[Difference]:
        """Open differences of a severity that nobody has accepted."""
        found = (one.difference for one in self.state.open.values())
        return [one for one in found if one.severity is severity and not self._is_accepted(one)]

    @property
    def blocked(self) -> Blocked:
        """What open differences stop that nobody has accepted."""
        return Blocked(
            account=bool(self.blocking(Severity.BLOCKS_ACCOUNT)),
            instruments=frozenset(one.instrument for one in self.blocking(Severity.BLOCKS_INSTRUMENT)),
        )

    def _seen(self, difference: Difference, now: float) -> Event | None:
        key, known = difference.key, self.state.open.get(difference.key)
        if known is not None and known.difference.value == difference.value:
            self.state.pending.pop(key, None)
            self.state.open[key] = Open(difference, known.since)
            return self._event(EventKind.STILL, self.state.open[key])
        if not self._counts(difference, now):
            return None if known is None else self._event(EventKind.STILL, known)
        self.state.pending.pop(key, None)
        self.state.open[key] = Open(difference, now if known is None else known.since)
        if not self._is_accepted(difference):
            self.state.accepted.pop(key, None)
        return self._event(EventKind.APPEARED if known is None else EventKind.CHANGED, self.state.open[key])

    def _counts(self, difference: Difference, now: float) -> bool:
        if not difference.is_moving:
            return True
        basis = difference.basis or difference.ours
        before = self.state.pending.get(difference.key)
        if before is None or before.basis != basis:
            before = Pending(basis, now if before is None else before.since, now)
        self.state.pending[difference.key] = before
        is_steady = now - before.steady_since >= self._tolerances.grace_seconds
        return is_steady or now - before.since >= self._tolerances.patience_seconds

    def _event(self, kind: EventKind, known: Open) -> Event:
        is_accepted = self._is_accepted(known.difference)
        return Event(kind=kind, difference=known.difference, since=known.since, is_accepted=is_accepted)

    def _is_accepted(self, difference: Difference) -> bool:
        found = self.state.accepted.get(difference.key)
        return found is not None and found.value == difference.value

    def _forget(self, seen: set[str], now: float) -> None:
        """Drop acceptances of what has been away for longer than our own fills take to arrive on both sides."""
        kept = {}
        for key, one in self.state.accepted.items():
            if key in seen:
                kept[key] = msgspec.structs.replace(one, seen_at=now)
            elif now - one.seen_at < self._tolerances.patience_seconds:
                kept[key] = one
        self.state.accepted = kept
