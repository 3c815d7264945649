"""One difference between our books and the broker's, and how much may differ before it is one."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from trading.accounting.account import Account
from trading.accounting.margin import RATES, MarginRates
from trading.accounting.position import Marks
from trading.market.sessions import trading_day
from trading.orders.state import OrderRecord
from trading.reconciliation.book import Area, BrokerBook
from trading.reconciliation.kinds import KINDS, DifferenceKind, Severity

LONGEST_VALUE = 2_000  # of what a broker's rows may make of it
ACCOUNT_AREAS = frozenset({Area.POSITIONS, Area.HOLDINGS, Area.FUNDS})


class Tolerances(msgspec.Struct, frozen=True, kw_only=True):
    """What is no difference: up to and including these.

    An order that changed within `grace_seconds` is in motion, as are positions and funds at any time; what has been in
    motion for `patience_seconds` counts all the same. So long an order without an answer may take until it is in the
    broker's book. An order is stuck that has been on its way to the exchange for
    more than `stuck_seconds`. `price` in rupees; of the two for funds the larger counts.
    """

    grace_seconds: float = 2
    patience_seconds: float = 30
    stuck_seconds: float = 60
    price: Decimal = Decimal("0.01")
    funds_rupees: Decimal = Decimal(5_000)
    funds_percent: Decimal = Decimal(10)


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides at about one time: our orders of the day by tag, our account, and the broker's book."""

    orders: Mapping[str, OrderRecord]
    account: Account
    broker: BrokerBook
    marks: Marks = {}
    rates: MarginRates = RATES

    def can_tell(self, difference: Difference, now: float) -> bool:
        """True when the difference would have been found if it were still there."""
        if difference.kind is DifferenceKind.ROWS_UNREADABLE:
            return getattr(self.broker, difference.subject) is not None
        areas = KINDS[difference.kind].areas
        return all(self.broker.has_all(area) for area in areas) and (
            self.has_begun(now) or ACCOUNT_AREAS.isdisjoint(areas)
        )

    def has_begun(self, now: float) -> bool:
        """True when the account has begun the day of `now`; before that it is compared with nothing."""
        return self.account.day == trading_day(int(now)).isoformat()


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One typed difference. `instrument` is empty when it concerns the whole account.

    `gap` is what an acceptance is of, `ours` and `theirs` where it is empty: a position that differs by five still does
    so when both have grown. `is_moving` while what it is about works or may have just changed; `basis` (`ours` where it
    is empty) changes whenever our side has moved.
    """

    kind: DifferenceKind
    subject: str
    ours: str
    theirs: str
    instrument: str = ""
    gap: str = ""
    basis: str = ""
    is_moving: bool = False

    @property
    def key(self) -> str:
        """The same for the same difference seen again, whatever its values."""
        return f"{self.kind}|{self.subject}"

    @property
    def value(self) -> str:
        """What changes when the difference becomes another one."""
        return (self.gap or f"{self.ours} | {self.theirs}")[:LONGEST_VALUE]

    @property
    def severity(self) -> Severity:
        """What it stops while nobody has accepted it."""
        return KINDS[self.kind].severity
