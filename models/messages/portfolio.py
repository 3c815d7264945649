"""Portfolio snapshots. Money in rupees, exact."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

from models.messages.orders import Product
from models.messages.validation import Checked, Count, Seconds, SignedQuantity, Text

ZERO = Decimal(0)


class SnapshotCause(StrEnum):
    """What led to a snapshot."""

    FILL = "fill"
    MARK = "mark"


class AlarmKind(StrEnum):
    """What an account's owner has to act on."""

    DELIVERY_NEAR = "delivery_near"  # a contract that ends in delivery of shares expires within days
    EXPIRED = "expired"  # a contract has expired and nothing has settled it
    SHORT_DELIVERY = "short_delivery"  # more delivery shares sold than held: they go to auction
    INTRADAY_CARRIED = "intraday_carried"  # an intraday position was left open over night


class AccountAlarm(Checked, frozen=True, kw_only=True):
    """One position that needs a person."""

    kind: AlarmKind
    strategy: Text
    instrument: Text
    product: Product
    quantity: SignedQuantity
    expiry: date | None = None


class PositionSnapshot(Checked, frozen=True, kw_only=True):
    """One strategy's position in one instrument; negative quantity is short. `day_pnl` is before charges."""

    strategy: Text
    instrument: Text
    product: Product
    quantity: SignedQuantity
    average_price: Decimal
    mark: Decimal
    realised: Decimal
    unrealised: Decimal
    overnight_quantity: SignedQuantity = 0
    day_buy_quantity: Count = 0
    day_sell_quantity: Count = 0
    day_pnl: Decimal = ZERO


class PortfolioSnapshot(Checked, frozen=True, kw_only=True):
    """`portfolio.snapshot` on `{b}.pnl.snapshots`.

    The account identity holds exactly: cash + position_value = start_cash + realised + unrealised - charges.
    `day_pnl` is after charges; `drawdown` is rupees below `high_water_mark`; `margin_used` is information.
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
    day_pnl: Decimal = ZERO
    high_water_mark: Decimal = ZERO
    drawdown: Decimal = ZERO
    margin_used: Decimal = ZERO
    alarms: tuple[AccountAlarm, ...] = ()
