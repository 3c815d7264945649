"""Portfolio snapshots. Money in rupees, exact."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from models.messages.orders import Product
from models.messages.validation import Checked, Count, Seconds, SignedQuantity, Text


class SnapshotCause(StrEnum):
    """What led to a snapshot."""

    FILL = "fill"
    MARK = "mark"


class PositionSnapshot(Checked, frozen=True, kw_only=True):
    """One strategy's position in one instrument; negative quantity is short."""

    strategy: Text
    instrument: Text
    product: Product
    quantity: SignedQuantity
    average_price: Decimal
    mark: Decimal
    realised: Decimal
    unrealised: Decimal


class PortfolioSnapshot(Checked, frozen=True, kw_only=True):
    """`portfolio.snapshot` on `{b}.pnl.snapshots`.

    The account identity holds exactly: cash + position_value = start_cash + realised + unrealised - charges.
    """

    account: Text
    cause: SnapshotCause
    event_time: Seconds
    start_cash: Decimal
    cash: Decimal
    position_value: Decimal
    realised: Decimal
    unrealised: Decimal
    charges: Decimal
    equity: Decimal
    fills: Count
    positions: tuple[PositionSnapshot, ...] = ()
