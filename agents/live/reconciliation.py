"""Compares our books with the broker's: at a start, after each doubt, every few seconds; entries wait for agreement.

    the broker's five books, our orders, the account -> trading/reconciliation -> {b}.reconciliation, metrics, the gate

What the comparison remembers begins anew with the process: what differs is found again. What an operator has accepted
is in PostgreSQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

import structlog

from agents.live.differences import Announcer, Told
from agents.live.preflight.account import Compared
from brokers.errors import BrokerFailure, SessionRefused
from brokers.zerodha.portfolio import read_book
from faust_app.runtime import metrics
from faust_app.runtime.errors import TransientError
from models.messages.orders import PlannedOrder
from models.messages.reconciliation import AcceptedDifference
from trading.accounting.account import Account
from trading.accounting.position import Marks
from trading.orders.state import OrderRecord
from trading.reconciliation.book import Area, BrokerBook
from trading.reconciliation.difference import Readings
from trading.reconciliation.kinds import Severity
from trading.reconciliation.reconciler import Reconciler

log = structlog.get_logger(__name__)
WAIT_SECONDS = 0.5
SETTLING_SECONDS = 2.5  # a difference in motion is looked at again after the grace
MOST_AGE_SECONDS = 60.0
Row = dict[str, Any]
Result = TypeVar("Result")


class Reads(Protocol):
    """The broker's books. Methods raise SessionRefused, BrokerFailure."""

    async def orders(self) -> list[Row]:
        """Every order of the day."""

    async def trades(self) -> list[Row]:
        """Every trade of the day."""

    async def positions(self) -> list[Row]:
        """Net positions."""

    async def holdings(self) -> list[Row]:
        """Shares held over night."""

    async def funds(self) -> Row:
        """What can be used."""


class Ours(Protocol):
    """Our side. `account` is None while it is not known yet."""

    def orders(self) -> Mapping[str, OrderRecord]:
        """Orders of the day by tag."""

    def account(self) -> Account | None:
        """A copy of the account, in the broker's day."""

    def prices(self) -> Marks:
        """Last prices."""


class Reconciliation:
    """One account's comparisons. `load` gives what operators have accepted; `now` is the broker's time."""

    def __init__(
        self,
        reads: Reads,
        ours: Ours,
        announcer: Announcer,
        load: Callable[[], Awaitable[list[AcceptedDifference]]],
        *,
        broker: str,
        now: Callable[[], float],
        every_seconds: float,
    ) -> None:
        self._reads = reads
        self._ours = ours
        self._announcer = announcer
        self._load = load
        self._broker = broker
        self._now = now
        self._every_seconds = every_seconds
        self._reconciler = Reconciler()
        self._news = asyncio.Event()
        self._asked = ""
        self._accepted_is_old = True
        self._complete_at: float | None = None
        self._latest: Compared | None = None

    def look(self, asked: str = "") -> None:
        """Compare now; `asked` is the number of an operator's request."""
        self._asked = asked or self._asked
        self._news.set()

    def accepted(self) -> None:
        """An operator has accepted differences."""
        self._accepted_is_old = True
        self._news.set()

    def refusal(self, order: PlannedOrder) -> str:
        """Why an entry is not to be sent; empty when it is."""
        if self._complete_at is None:
            return "The account has not been compared with the broker yet"
        age = time.monotonic() - self._complete_at
        if age > MOST_AGE_SECONDS:
            return f"The account was last compared with the broker {age:.0f} s ago"
        blocked = self._reconciler.blocked
        if blocked.account:
            return "The account differs from what the broker says"
        return (
            f"{order.instrument} differs from what the broker says" if order.instrument in blocked.instruments else ""
        )

    async def latest(self) -> Compared | None:
        """What the preflight looks at."""
        return self._latest

    async def run(self) -> None:
        """Compare until cancelled."""
        while True:
            self._news.clear()
            account = self._ours.account()
            if account is None:
                await asyncio.sleep(WAIT_SECONDS)
                continue
            await self.once(account)
            wait = SETTLING_SECONDS if self._reconciler.state.pending else self._every_seconds
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait, self._every_seconds)):
                    await self._news.wait()

    async def once(self, account: Account) -> Told:
        """One comparison, published."""
        asked, self._asked = self._asked, ""  # a request is answered by what is read after it
        await self._take_acceptances()
        book = await self._read()
        readings = Readings(orders=self._ours.orders(), account=account, broker=book, marks=dict(self._ours.prices()))
        events = self._reconciler.step(readings, self._now())
        unread = tuple(area.value for area in Area if getattr(book, area.value) is None)
        metrics.RECONCILIATIONS.labels(self._broker, "incomplete" if unread else "complete").inc()
        if self._complete_at is None and self._reconciler.state.pending:
            self._asked = self._asked or asked
            return Told((), None)  # after a start, what is in motion has to show first whether it counts
        self._latest = Compared(time.time(), unread, len(self._reconciler.blocking(Severity.BLOCKS_ACCOUNT)))
        if not unread:
            self._complete_at = time.monotonic()
            metrics.LAST_RECONCILIATION.labels(self._broker).set(time.time())
        return await self._announcer.tell(events, self._reconciler.blocked, unread=unread, asked=asked, at=self._now())

    async def _take_acceptances(self) -> None:
        if not self._accepted_is_old:
            return
        try:
            found = await self._load()
        except TransientError as error:
            log.warning("acceptances_unreadable", error=str(error))
            return
        self._accepted_is_old = False
        for one in found:
            self._reconciler.accept(one.key, one.value, now=self._now())

    async def _read(self) -> BrokerBook:
        """What can be read; a book that cannot is None."""
        orders, trades, positions, holdings, funds = await asyncio.gather(
            self._or_none(Area.ORDERS, self._reads.orders()),
            self._or_none(Area.TRADES, self._reads.trades()),
            self._or_none(Area.POSITIONS, self._reads.positions()),
            self._or_none(Area.HOLDINGS, self._reads.holdings()),
            self._or_none(Area.FUNDS, self._reads.funds()),
        )
        return read_book(orders=orders, trades=trades, positions=positions, holdings=holdings, funds=funds)

    async def _or_none(self, area: Area, reading: Awaitable[Result]) -> Result | None:
        try:
            return await reading
        except (BrokerFailure, SessionRefused) as error:
            log.warning("broker_book_unread", area=area.value, error=str(error))
            return None
