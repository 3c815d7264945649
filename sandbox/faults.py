"""Faults: what can go wrong on purpose, when it strikes, and which are on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from sandbox.rules import Key, Strict


class Kind(StrEnum):
    """What goes wrong. The comment says on what occasion it may strike."""

    # a call to one of `endpoints`
    NO_ANSWER = "no_answer"  # accepted or not, it is never answered
    TIMED_OUT = "timed_out"  # HTTP 400 "Order request timed out ..", yet accepted, and it fills later
    TOO_MANY_REQUESTS = "too_many_requests"
    SERVER_ERROR = "server_error"  # `status` as JSON
    BAD_GATEWAY = "bad_gateway"  # 502 as HTML
    EMPTY_BODY = "empty_body"
    EMPTY_OBJECT = "empty_object"
    NO_CONTENT_TYPE = "no_content_type"
    SLOW = "slow"  # answered after `seconds`
    RESET = "reset"
    UPDATE_FIRST = "update_first"  # order updates arrive before the answer
    SECOND_LOGIN = "second_login"  # somebody logs in elsewhere: the token is dead
    # an order
    REJECT = "reject"  # by `reason`
    PARTIAL_THEN_CANCEL = "partial_then_cancel"
    SLOW_VALIDATION = "slow_validation"
    SLOW_MODIFICATION = "slow_modification"
    MODIFICATION_REFUSED = "modification_refused"
    FILL_AFTER_CANCEL = "fill_after_cancel"
    CANCELLATION_REFUSED = "cancellation_refused"
    # an order update
    UPDATE_DUPLICATED = "update_duplicated"
    UPDATE_LOST = "update_lost"
    UPDATE_REORDERED = "update_reordered"  # sent after the one that follows it
    UPDATE_AFTER_COMPLETE = "update_after_complete"
    # a batch of ticks
    HEARTBEATS_ONLY = "heartbeats_only"
    TICKS_DUPLICATED = "ticks_duplicated"
    TICKS_REORDERED = "ticks_reordered"  # held back until after the next batch
    VOLUME_BACKWARDS = "volume_backwards"
    TRUNCATED_FRAME = "truncated_frame"
    UNKNOWN_PACKET = "unknown_packet"
    # a heartbeat: four a second
    FROZEN_SOCKET = "frozen_socket"  # connections stay open and get nothing more
    DISCONNECT = "disconnect"
    # a subscription
    STALE_FIRST_TICK = "stale_first_tick"  # the cached tick is `seconds` old
    # as long as it is on
    CHANGED_DUMP = "changed_dump"


CALL_KINDS = tuple(Kind)[: tuple(Kind).index(Kind.REJECT)]
UNTOUCHED = (Kind.TOO_MANY_REQUESTS, Kind.SERVER_ERROR, Kind.BAD_GATEWAY, Kind.SECOND_LOGIN)
DEFAULT_SECONDS = {
    Kind.TIMED_OUT: 8.0,
    Kind.SLOW: 2.0,
    Kind.UPDATE_FIRST: 0.3,
    Kind.SLOW_VALIDATION: 8.0,
    Kind.SLOW_MODIFICATION: 2.0,
    Kind.STALE_FIRST_TICK: 3_600.0,
}


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
        for active in self._active.values():
            one = active.fault
            if one.kind is kind and (not one.instruments or instrument in one.instruments) and active.strikes():
                return one
        return None

    def strike_call(self, call: str, instrument: str | None) -> list[Fault]:
        """A call has come: all faults that strike it. `instrument` is the order's, where it is known."""
        return [
            one.fault
            for one in list(self._active.values())
            if one.fault.kind in CALL_KINDS
            and one.fault.concerns(call)
            and (not one.fault.instruments or instrument in one.fault.instruments)
            and one.strikes()
        ]

    def find(self, kind: Kind) -> Fault | None:
        """A fault of a kind that is on, without an occasion."""
        return next((one.fault for one in self._active.values() if one.fault.kind is kind), None)

    def bodies(self) -> list[dict[str, Any]]:
        """As JSON."""
        return [one.body() for one in self._active.values()]

    @property
    def are_on(self) -> bool:
        """True when there is any."""
        return bool(self._active)
