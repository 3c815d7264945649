"""Differences from the broker: which have appeared or changed, which are gone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from agents.notices.quiet import Batch
from agents.notices.words import count, some
from faust_app.runtime.notices import Notice, NoticeKind
from models.messages.reconciliation import (
    DifferenceState,
    OpenDifference,
    ReconciliationDifference,
    ReconciliationRound,
)
from trading.reconciliation.kinds import Severity

APPEARED = (DifferenceState.APPEARED, DifferenceState.CHANGED)
Change = tuple[DifferenceState, OpenDifference]


class DifferencesWatch:
    """Gathers what becomes of each account's differences. What is open when the monitor starts is not told."""

    def __init__(self, seconds: float, quiet: float) -> None:
        self._open: dict[str, dict[str, OpenDifference]] = defaultdict(dict)
        self._batches: dict[str, Batch[Change]] = defaultdict(lambda: Batch(seconds, quiet))

    def hear(self, told: ReconciliationDifference, now: float) -> None:
        """Something became of a difference; told again it says nothing new."""
        found = told.difference
        if self._is_new(told) and found.severity != Severity.INFO.value:
            self._batches[told.account].add((told.state, found), now)

    def _is_new(self, told: ReconciliationDifference) -> bool:
        known, found = self._open[told.account], told.difference
        if told.state is DifferenceState.RESOLVED:
            return known.pop(found.key, None) is not None
        before, known[found.key] = known.get(found.key), found
        if before is None or before.value != found.value:
            return True
        return told.state is DifferenceState.ACCEPTED and not before.is_accepted

    def hear_round(self, told: ReconciliationRound) -> None:
        """All differences that are open after a comparison: what is new among them was told by itself."""
        self._open[told.account] = {one.key: one for one in told.open}

    def due(self, now: float, *, is_last: bool = False) -> Iterator[Notice]:
        """A notice for each account with changes."""
        for account, batch in self._batches.items():
            changes = batch.take(now, is_last=is_last)
            if changes:
                yield self._notice(account, changes, now)

    def _notice(self, account: str, changes: list[Change], now: float) -> Notice:
        broker, _, _ = account.partition(":")
        counts = [(word, sum(STATES[state] == word for state, _ in changes)) for word in WORDS]
        said = ", ".join(f"{number} {word}" for word, number in counts if number)
        still = [one for one in self._open[account].values() if _blocks(one)]
        blocking = f"{count(len(still), 'difference')} still {'keeps' if len(still) == 1 else 'keep'} entries back"
        return Notice(
            kind=NoticeKind.DIFFERENCES,
            subject=account,
            title=f"{account}: differences from the broker: {said}",
            lines=(*some([_line(*one) for one in changes], "changes"), blocking if still else "Nothing blocks entries"),
            advice=f"alpha-panda reconcile --broker {broker}; docs/runbooks/reconciliation.md",
            at=now,
        )


WORDS = ("opened", "accepted", "closed")
STATES = {
    DifferenceState.APPEARED: "opened",
    DifferenceState.CHANGED: "opened",
    DifferenceState.ACCEPTED: "accepted",
    DifferenceState.RESOLVED: "closed",
}


def _blocks(one: OpenDifference) -> bool:
    return Severity(one.severity).is_blocking and not one.is_accepted


def _line(state: DifferenceState, one: OpenDifference) -> str:
    values = f": ours {one.ours or '-'}, theirs {one.theirs or '-'}" if state in APPEARED else ""
    return f"{STATES[state]} {one.kind} {one.subject}{values} ({one.severity}, reference {one.reference})"
