"""Calls to a live broker: what waits for its turn, cancels first, then exits, then stops, then entries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import IntEnum
from heapq import heappop, heappush
from itertools import count

import msgspec

from faust_app.runtime.order_budget import Grant
from models.messages.orders import PlannedOrder


class Rank(IntEnum):
    """Who goes first."""

    CANCEL = 0
    EXIT = 1
    PROTECTION = 2
    ENTRY = 3


class Place(msgspec.Struct, frozen=True):
    """Send an order that has not been attempted."""

    order: PlannedOrder

    @property
    def order_id(self) -> str:
        """Of the order."""
        return self.order.order_id

    @property
    def rank(self) -> Rank:
        """Exits go before entries."""
        return Rank.EXIT if self.order.reduces else Rank.ENTRY


class Cancel(msgspec.Struct, frozen=True):
    """Cancel what rests of an order at the broker."""

    order_id: str
    broker_order_id: str
    correlation_id: str = ""

    @property
    def rank(self) -> Rank:
        """Before all others."""
        return Rank.CANCEL


class Errand(msgspec.Struct, frozen=True, eq=False):
    """A call that concerns no order yet: `make` makes it with the grant it is given. `order_id` only names it."""

    order_id: str
    rank: Rank
    make: Callable[[Grant], Awaitable[None]]


Call = Place | Cancel | Errand


class CallQueue:
    """Waiting calls by rank, then in the order they came. A call that waits already is not taken again."""

    def __init__(self) -> None:
        self._heap: list[tuple[Rank, int, Call]] = []
        self._waiting: set[tuple[type[Call], str]] = set()
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._waiting)

    def push(self, call: Call) -> bool:
        """Take a call in; False when it is here."""
        name = type(call), call.order_id
        if name in self._waiting:
            return False
        self._waiting.add(name)
        heappush(self._heap, (call.rank, next(self._numbers), call))
        return True

    def peek(self) -> Call | None:
        """Whose turn it is."""
        while self._heap and (type(self._heap[0][2]), self._heap[0][2].order_id) not in self._waiting:
            heappop(self._heap)
        return self._heap[0][2] if self._heap else None

    def take(self) -> Call:
        """The call whose turn it is. Raises IndexError when there is none."""
        found = self.peek()
        if found is None:
            raise IndexError("No call waits")
        heappop(self._heap)
        self._waiting.discard((type(found), found.order_id))
        return found

    def drop(self, order_id: str) -> bool:
        """Take out an order that waits to be placed; False when it does not wait."""
        name = Place, order_id
        if name not in self._waiting:
            return False
        self._waiting.discard(name)
        return True

    def clear(self) -> None:
        """Forget everything."""
        self._heap.clear()
        self._waiting.clear()
