"""Brokerage and tax rates as dated rows, fractions of turnover.

Source: Zerodha's published charges in force in 2026, and the STT of the Budgets of 2024 and 2026 (see
`docs/adr/0007-charges.md`). SEBI: Rs 10 a crore. GST: 18 % of brokerage, transaction charges and SEBI fees.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

import msgspec

GST = Decimal("0.18")
SEBI = Decimal("0.000001")


class SegmentKind(StrEnum):
    """What charges differ by."""

    EQUITY_INTRADAY = "equity-intraday"
    EQUITY_DELIVERY = "equity-delivery"
    FUTURES = "futures"
    OPTIONS = "options"

    @property
    def is_equity(self) -> bool:
        """True for shares."""
        return self in (SegmentKind.EQUITY_INTRADAY, SegmentKind.EQUITY_DELIVERY)


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Rates of one kind from a date on. `brokerage_rate` None means the flat amount per executed order."""

    since: date
    brokerage_rate: Decimal | None
    brokerage_most: Decimal
    stt_buy: Decimal
    stt_sell: Decimal
    transaction: dict[str, Decimal]
    stamp_buy: Decimal


def _rates(
    since: str, rate: str | None, most: str, stt_buy: str, stt_sell: str, nse: str, bse: str, stamp: str
) -> Rates:
    return Rates(
        since=date.fromisoformat(since),
        brokerage_rate=None if rate is None else Decimal(rate),
        brokerage_most=Decimal(most),
        stt_buy=Decimal(stt_buy),
        stt_sell=Decimal(stt_sell),
        transaction={"NSE": Decimal(nse), "BSE": Decimal(bse)},
        stamp_buy=Decimal(stamp),
    )


TABLE: dict[SegmentKind, tuple[Rates, ...]] = {
    SegmentKind.EQUITY_INTRADAY: (
        _rates("0001-01-01", "0.0003", "20", "0", "0.00025", "0.0000307", "0.0000375", "0.00003"),
    ),
    SegmentKind.EQUITY_DELIVERY: (
        _rates("0001-01-01", "0", "0", "0.001", "0.001", "0.0000307", "0.0000375", "0.00015"),
    ),
    SegmentKind.FUTURES: (
        _rates("0001-01-01", "0.0003", "20", "0", "0.000125", "0.0000183", "0", "0.00002"),
        _rates("2024-10-01", "0.0003", "20", "0", "0.0002", "0.0000183", "0", "0.00002"),
        _rates("2026-04-01", "0.0003", "20", "0", "0.0005", "0.0000183", "0", "0.00002"),
    ),
    SegmentKind.OPTIONS: (
        _rates("0001-01-01", None, "20", "0", "0.000625", "0.0003553", "0.000325", "0.00003"),
        _rates("2024-10-01", None, "20", "0", "0.001", "0.0003553", "0.000325", "0.00003"),
        _rates("2026-04-01", None, "20", "0", "0.0015", "0.0003553", "0.000325", "0.00003"),
    ),
}


@lru_cache(maxsize=64)
def rates_for(kind: SegmentKind, day: date) -> Rates:
    """The rates in force on `day`."""
    return [rates for rates in TABLE[kind] if rates.since <= day][-1]
