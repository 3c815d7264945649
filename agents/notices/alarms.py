"""Alarms: what only a person can mend."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from agents.notices.quiet import Batch
from agents.notices.words import count, some
from faust_app.runtime.notices import Notice, NoticeKind
from models.messages.portfolio import AccountAlarm, PortfolioSnapshot
from trading.market.sessions import trading_day

EXITS_GIVEN_UP = "exits given up"
ADVICE = "alpha-panda positions --broker {}, then by hand at the broker; docs/runbooks/flatten.md"


class AlarmsWatch:
    """Hears rises of the workers' alarm counters, and the alarms of snapshots."""

    def __init__(self, seconds: float, quiet: float) -> None:
        self._batches: dict[str, Batch[tuple[str, int]]] = defaultdict(lambda: Batch(seconds, quiet))
        self._snapshots: dict[str, PortfolioSnapshot] = {}
        self._told: dict[str, frozenset[str]] = {}

    def risen(self, broker: str, kind: str, by: int, now: float) -> None:
        """A counter of alarms at a broker has risen."""
        self._batches[broker].add((kind, by), now)

    def hear(self, snapshot: PortfolioSnapshot) -> None:
        """Which positions need a person, as of now."""
        self._snapshots[snapshot.account] = snapshot

    def due(self, now: float, *, is_last: bool = False) -> Iterator[Notice]:
        """A notice for each broker with new alarms, and for each account with new positions that need a person."""
        for broker, batch in self._batches.items():
            risen = batch.take(now, is_last=is_last)
            if risen:
                yield _orders(broker, risen, now)
        snapshots, self._snapshots = self._snapshots, {}
        for account, snapshot in snapshots.items():
            names = frozenset(map(_name, snapshot.alarms))
            if not names <= self._told.get(account, frozenset()):
                yield _positions(snapshot, names, now)
            self._told[account] = names


def _orders(broker: str, risen: list[tuple[str, int]], now: float) -> Notice:
    sums: Counter[str] = Counter()
    for kind, by in risen:
        sums[kind] += by
    return Notice(
        kind=NoticeKind.ALARMS,
        subject=broker,
        title=f"{broker}: {count(sums.total(), 'alarm')}, a person has to look",
        lines=tuple(f"{kind}: {number}" for kind, number in sums.most_common()),
        advice=ADVICE.format(broker) + " and docs/runbooks/live-trading.md",
        at=now,
    )


def _name(alarm: AccountAlarm) -> str:
    return f"{alarm.kind.value}: {alarm.strategy} in {alarm.instrument} ({alarm.product.value})"


def _positions(snapshot: PortfolioSnapshot, names: frozenset[str], now: float) -> Notice:
    broker, _, _ = snapshot.account.partition(":")
    state = hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]
    return Notice(
        kind=NoticeKind.ALARMS,
        subject=f"{snapshot.account} positions",
        title=f"{snapshot.account}: {count(len(names), 'position needs', 'positions need')} a person",
        lines=some([f"{_name(one)}: {one.quantity} units" for one in snapshot.alarms], "positions"),
        advice=ADVICE.format(broker),
        at=now,
        state=state,
        once=f"alarms:{snapshot.account}:{trading_day(snapshot.event_time)}:{state}",
    )


class Counters:
    """Rises of the workers' counters between two looks at their pages; a process that has begun anew counts from 0."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, Mapping[tuple[str, str], float]]] = {}

    def rises(
        self, worker: str, started: float, values: Mapping[tuple[str, str], float]
    ) -> Iterator[tuple[str, str, int]]:
        """Broker, kind and rise of each counter; the first look at a worker tells nothing."""
        known = self._last.get(worker)
        self._last[worker] = started, values
        if known is None:
            return
        before = known[1] if known[0] == started else {}
        for (broker, kind), value in values.items():
            rise = int(value - before.get((broker, kind), 0.0))
            if rise > 0:
                yield broker, kind, rise
