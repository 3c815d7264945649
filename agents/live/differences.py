"""Tells of differences: events on `{b}.reconciliation`, a line in the log, metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from faust_app.runtime import metrics
from faust_app.runtime.codec import encode, new_id, root
from faust_app.runtime.topics import Topic, Topics
from models.messages.reconciliation import (
    DifferenceState,
    OpenDifference,
    ReconciliationDifference,
    ReconciliationRound,
)
from tables.journal import Output
from trading.reconciliation.difference import LONGEST_VALUE, Difference
from trading.reconciliation.kinds import Severity
from trading.reconciliation.reconciler import Blocked, Event, EventKind

log = structlog.get_logger(__name__)
LONGEST_KEY = 256
EVERY_SECONDS = 60.0  # an unchanged state is told of so often
TOLD = {
    EventKind.APPEARED: DifferenceState.APPEARED,
    EventKind.CHANGED: DifferenceState.CHANGED,
    EventKind.RESOLVED: DifferenceState.RESOLVED,
}


class Told(msgspec.Struct, frozen=True):
    """What a comparison has led to: `round` is None when there was nothing new to say."""

    changes: tuple[ReconciliationDifference, ...]
    round: ReconciliationRound | None


class Announcer:
    """Speaks for one account. `send` returns when Kafka has the messages."""

    def __init__(
        self,
        topics: Topics,
        send: Callable[[list[Output]], Awaitable[None]],
        *,
        broker: str,
        account: str,
        source: str,
    ) -> None:
        self._topic = topics.name(Topic.RECONCILIATION, broker)
        self._send = send
        self._broker = broker
        self._account = account
        self._source = source
        self._number = 0
        self._accepted: set[tuple[str, str]] = set()
        self._last: ReconciliationRound | None = None
        self._last_at = 0.0

    async def tell(
        self, events: Iterable[Event], blocked: Blocked, *, unread: tuple[str, ...], asked: str, at: float
    ) -> Told:
        """Publish what is new, and the state as a whole when it has changed, is asked for, or was not told lately."""
        events = list(events)
        changes = tuple(self._change(one, state, at) for one in events if (state := self._state(one)) is not None)
        self._accepted = {
            (one.difference.key, one.difference.value)
            for one in events
            if one.is_accepted and one.kind is not EventKind.RESOLVED
        }
        now = self._round(events, blocked, unread, asked, at)
        self._measure(now)
        if not (changes or asked or self._is_due(now, at)):
            return Told((), None)
        self._number += 1
        now = msgspec.structs.replace(now, number=self._number)
        await self._send([self._output(body, at) for body in (*changes, now)])
        self._last, self._last_at = now, at
        for one in changes:
            _log(one)
        return Told(changes, now)

    def _state(self, event: Event) -> DifferenceState | None:
        """What to say of a difference; None when nothing has become of it."""
        name = event.difference.key, event.difference.value
        if event.is_accepted and event.kind is not EventKind.RESOLVED and name not in self._accepted:
            return DifferenceState.ACCEPTED
        return TOLD.get(event.kind)

    def _change(self, event: Event, state: DifferenceState, at: float) -> ReconciliationDifference:
        return ReconciliationDifference(account=self._account, state=state, difference=_open(event), at=int(at))

    def _round(
        self, events: Iterable[Event], blocked: Blocked, unread: tuple[str, ...], asked: str, at: float
    ) -> ReconciliationRound:
        return ReconciliationRound(
            account=self._account,
            at=int(at),
            number=self._number,
            open=tuple(_open(one) for one in events if one.kind is not EventKind.RESOLVED),
            blocks_account=blocked.account,
            blocked_instruments=tuple(sorted(blocked.instruments)),
            unread=unread,
            asked=asked,
        )

    def _is_due(self, now: ReconciliationRound, at: float) -> bool:
        if self._last is None or at - self._last_at >= EVERY_SECONDS:
            return True
        same = msgspec.structs.replace(now, at=self._last.at, number=self._last.number, asked=self._last.asked)
        return same != self._last

    def _measure(self, now: ReconciliationRound) -> None:
        count = Counter((one.severity, one.is_accepted) for one in now.open)
        for severity in Severity:
            for accepted in (False, True):
                labels = self._broker, severity.value, str(accepted).lower()
                metrics.RECONCILIATION_DIFFERENCES.labels(*labels).set(count[severity.value, accepted])

    def _output(self, body: msgspec.Struct, at: float) -> Output:
        envelope: Any = root(
            body,
            message_id=new_id(),
            broker=self._broker,
            key=self._account,
            source=self._source,
            at=datetime.fromtimestamp(at, UTC),
        )
        return Output(self._topic, self._account.encode(), encode(envelope))


def _open(event: Event) -> OpenDifference:
    one: Difference = event.difference
    return OpenDifference(
        key=one.key[:LONGEST_KEY],
        kind=one.kind.value,
        subject=one.subject[:LONGEST_KEY],
        severity=one.severity.value,
        instrument=one.instrument[:LONGEST_KEY],
        ours=one.ours[:LONGEST_VALUE],
        theirs=one.theirs[:LONGEST_VALUE],
        value=one.value,
        since=int(event.since),
        is_accepted=event.is_accepted,
    )


def _log(change: ReconciliationDifference) -> None:
    one = change.difference
    is_bad = Severity(one.severity).is_blocking and change.state in (DifferenceState.APPEARED, DifferenceState.CHANGED)
    say = log.error if is_bad else log.info
    say(
        "reconciliation",
        state=change.state.value,
        kind=one.kind,
        subject=one.subject,
        severity=one.severity,
        ours=one.ours,
        theirs=one.theirs,
        reference=one.reference,
    )
