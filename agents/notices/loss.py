"""The day's loss: told at 80 %, and at 100 %, of what the account may lose."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from agents.notices.words import rupees
from faust_app.runtime.notices import Notice, NoticeKind
from models.messages.portfolio import PortfolioSnapshot
from trading.market.sessions import trading_day

LEVELS = (100, 80)  # percent of the limit, the highest first


class LossWatch:
    """Compares snapshots with the accounts' limits; each level is told once a day and limit."""

    def __init__(self) -> None:
        self.limits: dict[str, Decimal] = {}
        self._latest: dict[str, PortfolioSnapshot] = {}

    def hear(self, snapshot: PortfolioSnapshot) -> None:
        """An account's newest figures."""
        self._latest[snapshot.account] = snapshot

    def due(self, now: float, *, is_last: bool = False) -> Iterator[Notice]:
        """A notice for each account that has reached a level; told before, it is stopped by its `once`."""
        latest, self._latest = self._latest, {}
        for account, snapshot in latest.items():
            limit = self.limits.get(account)
            if limit is None:
                self._latest.setdefault(account, snapshot)  # until limits are known
                continue
            percent = -snapshot.day_pnl * 100 / limit
            level = next((one for one in LEVELS if percent >= one), None)
            if level is not None:
                yield _notice(snapshot, limit, percent, level, now)


def _notice(snapshot: PortfolioSnapshot, limit: Decimal, percent: Decimal, level: int, now: float) -> Notice:
    account = snapshot.account
    broker, _, _ = account.partition(":")
    day = trading_day(snapshot.event_time)
    effect = "Entries are denied from here on, exits pass" if level == LEVELS[0] else "At 100 % entries are denied"
    return Notice(
        kind=NoticeKind.LOSS,
        subject=account,
        title=f"{account}: the day's loss is at {percent:.0f} % of its limit",
        lines=(f"Lost {rupees(-snapshot.day_pnl)} of {rupees(limit)} rupees, charges included. {effect}",),
        advice=f"alpha-panda pnl --broker {broker}; alpha-panda positions --broker {broker}; "
        f"to leave everything, alpha-panda halt --flatten --broker {broker}",
        at=now,
        state=f"{level}",
        once=f"loss:{account}:{day}:{limit.normalize():f}:{level}",
    )
