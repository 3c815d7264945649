"""Keeps notices few: things gathered into one message, and quiet periods between messages about the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from faust_app.runtime.notices import Notice, NoticeKind, clock_text

Item = TypeVar("Item")
MOST_CHANGES = 6  # told at once within a period; what changes more often is told at its end


class Watch(Protocol):
    """Decides what to tell. `due` is asked every second, and a last time when the monitor stops."""

    def due(self, now: float, *, is_last: bool = False) -> Iterator[Notice]:
        """Notices to send now; `now` is wall time in seconds."""


class Batch(Generic[Item]):
    """Gathers things until `seconds` after the first of them, and `quiet` after the last batch."""

    def __init__(self, seconds: float, quiet: float) -> None:
        self._seconds = seconds
        self._quiet = quiet
        self._items: list[Item] = []
        self._first_at = 0.0
        self._told_at = float("-inf")

    def add(self, item: Item, now: float) -> None:
        """One more thing to tell."""
        if not self._items:
            self._first_at = now
        self._items.append(item)

    def take(self, now: float, *, is_last: bool = False) -> list[Item]:
        """What has been gathered, once it is due; with `is_last` at once."""
        is_due = now - self._first_at >= self._seconds and now - self._told_at >= self._quiet
        if not self._items or not (is_due or is_last):
            return []
        taken, self._items, self._told_at = self._items, [], now
        return taken


@dataclass
class _Period:
    began: float
    state: str
    changes: int = 0
    held: int = 0
    last: Notice | None = None


class Quiet:
    """At most one notice about a subject in a period, but for changes of its state; the last one held back follows."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._periods: dict[tuple[NoticeKind, str], _Period] = {}

    def admit(self, notice: Notice, now: float) -> Notice | None:
        """The notice to send instead; None when it is held back."""
        key = notice.kind, notice.subject
        period = self._periods.get(key)
        if period is None or (now - period.began >= self._seconds and not period.held):
            self._periods[key] = _Period(now, notice.state)
            return notice
        shown = period.state if period.last is None else period.last.state
        if notice.state != shown and period.changes < MOST_CHANGES:
            told = _with_more(notice, period)
            period.state, period.held, period.last = notice.state, 0, None
            period.changes += 1
            return told
        period.held += 1
        period.last = notice
        return None

    def due(self, now: float) -> Iterator[Notice]:
        """What was held back in periods that are over; forgets those in which nothing was."""
        for key, period in list(self._periods.items()):
            if now - period.began < self._seconds:
                continue
            if period.last is None:
                del self._periods[key]
                continue
            period.held -= 1
            yield _with_more(period.last, period)
            self._periods[key] = _Period(now, period.last.state)


def _with_more(notice: Notice, period: _Period) -> Notice:
    if not period.held:
        return notice
    return replace(notice, lines=(*notice.lines, f"{period.held} more since {clock_text(period.began)}"))
