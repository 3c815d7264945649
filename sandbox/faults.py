"""Faults: what can go wrong on purpose, when it strikes, and which are on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from sandbox.fault_kinds import CALL_KINDS, DEFAULT_SECONDS, UNTOUCHED, Kind
from sandbox.rules import Key, Strict


class Fault(Strict):
    """One fault. It strikes at every `period`-th occasion after the first `after`, `count` times at most.

    `seconds` are real ones where an answer waits and the exchange's own where an order does. `accepted` says whether a
    call took effect before its answer went wrong; by default it did, except for 429, 5xx and a second login.
    """

    kind: Kind
    endpoints: tuple[str, ...] = ("POST /orders/*",)
    instruments: tuple[Key, ...] = ()  # orders in them only; none means all
    count: PositiveInt | None = None
    after: NonNegativeInt = 0
    period: PositiveInt = 1
    probability: float = Field(default=1.0, gt=0, le=1)
    seed: int = 0
    seconds: NonNegativeFloat | None = None
    accepted: bool | None = None
    status: int = Field(default=500, ge=500, le=599)
    reason: Literal["margin", "circuit", "freeze"] = "margin"

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Fault:
        if "endpoints" in self.model_fields_set and self.kind not in CALL_KINDS:
            raise ValueError(f"{self.kind} does not strike calls, so it takes no endpoints")
        if self.kind is Kind.TIMED_OUT and self.accepted is False:
            raise ValueError("timed_out is always accepted; use no_answer with accepted: false")
        return self

    @property
    def wait(self) -> float:
        """Seconds, the kind's own when none are given."""
        return DEFAULT_SECONDS.get(self.kind, 0.0) if self.seconds is None else self.seconds

    @property
    def takes_effect(self) -> bool:
        """True when a struck call is still carried out."""
        return self.kind not in UNTOUCHED if self.accepted is None else self.accepted

    def concerns(self, call: str) -> bool:
        """True for a call, `METHOD /path`, of the chosen endpoints."""
        return any(fnmatchcase(call, pattern) for pattern in self.endpoints)


@dataclass(slots=True)
class Active:
    """A fault that is on."""

    number: int
    fault: Fault
    seen: int = 0
    hits: int = 0
    rng: Random = field(default_factory=Random)

    def strikes(self) -> bool:
        """One occasion: true when it strikes."""
        one = self.fault
        if one.count is not None and self.hits >= one.count:
            return False
        self.seen += 1
        beyond = self.seen - one.after
        if beyond <= 0 or beyond % one.period:
            return False
        if one.probability < 1 and self.rng.random() >= one.probability:
            return False
        self.hits += 1
        return True

    def body(self) -> dict[str, Any]:
        """As JSON."""
        return {"id": self.number, "seen": self.seen, "hits": self.hits, **self.fault.model_dump(mode="json")}


class Faults:
    """The faults that are on, in the order they were switched on. `on_change` hears of every change."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._active: dict[int, Active] = {}
        self._number = 0
        self.on_change: Callable[[], None] = lambda: None
        for fault in faults:
            self.switch_on(fault)

    def switch_on(self, fault: Fault) -> Active:
        """From now on."""
        self._number += 1
        active = Active(self._number, fault, rng=Random(fault.seed))
        self._active[self._number] = active
        self.on_change()
        return active

    def switch_off(self, number: int | None = None) -> int:
        """One, or all of them. Returns how many."""
        numbers = [one for one in self._active if number in (None, one)]
        for one in numbers:
            del self._active[one]
        self.on_change()
        return len(numbers)

    def strike(self, kind: Kind, instrument: str | None = None) -> Fault | None:
        """An occasion for faults of a kind: the first that strikes, or None."""
        for active in self:
            one = active.fault
            if one.kind is kind and (not one.instruments or instrument in one.instruments) and active.strikes():
                return one
        return None

    def strike_call(self, call: str, instrument: str | None) -> list[Fault]:
        """A call has come: all faults that strike it. `instrument` is the order's, where it is known."""
        return [
            one.fault
            for one in self
            if one.fault.kind in CALL_KINDS
            and one.fault.concerns(call)
            and (not one.fault.instruments or instrument in one.fault.instruments)
            and one.strikes()
        ]

    def find(self, kind: Kind) -> Fault | None:
        """A fault of a kind that is on, without an occasion."""
        return next((one.fault for one in self if one.fault.kind is kind), None)

    def bodies(self) -> list[dict[str, Any]]:
        """As JSON."""
        return [one.body() for one in self]

    def __iter__(self) -> Iterator[Active]:
        return iter(list(self._active.values()))

    @property
    def are_on(self) -> bool:
        """True when there is any."""
        return bool(self._active)
