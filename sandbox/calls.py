"""Every order call that arrived, whatever came of it: what tests count."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

MOST_CALLS = 100_000


@dataclass(slots=True)
class Call:
    """One call. `status` is the HTTP status that was answered, 0 for no answer."""

    number: int
    method: str
    path: str
    exchange_time: str
    monotonic: float
    fields: dict[str, str]
    order_id: str | None = None
    status: int = 0
    error: str | None = None
    faults: list[str] = field(default_factory=list)


class CallLog:
    """The latest calls in order of arrival."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=MOST_CALLS)
        self._number = 0

    def note(self, method: str, path: str, exchange_time: str, monotonic: float, fields: dict[str, str]) -> Call:
        """A call has arrived."""
        self._number += 1
        call = Call(self._number, method, path, exchange_time, monotonic, fields)
        self._calls.append(call)
        return call

    def bodies(self, tag: str | None = None) -> list[dict[str, Any]]:
        """As JSON, all of them or those with a tag."""
        return [asdict(call) for call in self._calls if tag is None or call.fields.get("tag") == tag]

    @property
    def total(self) -> int:
        """Calls since the start."""
        return self._number
