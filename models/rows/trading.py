"""What happened, by the ids of the events: signals, orders, fills, snapshots. Written by the ledger alone."""

from __future__ import annotations

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.rows.base import Base, Key, Moment, Money, Name, Units


class SignalRow(Base):
    """One signal and what risk made of it; `decision` is null until decided."""

    __tablename__ = "signals"
    __table_args__ = (Index(None, "broker", "occurred_at"), Index(None, "correlation_id"))

    signal_id: Mapped[Key]
    broker: Mapped[Name]
    account: Mapped[Name]
    strategy: Mapped[Name]
    instrument: Mapped[Name | None]
    intent: Mapped[Name | None]
    decision: Mapped[Name | None]  # accepted, denied
    code: Mapped[Name | None]  # reason code of a denial
    correlation_id: Mapped[Name]
    occurred_at: Mapped[Moment]
    body: Mapped[dict[str, object] | None] = mapped_column(JSONB(none_as_null=True))


class OrderRow(Base):
    """One order, as far as its events have told; the plan is null when a report came before the intent.

    `rank` orders statuses, so that a late event cannot undo a newer one.
    """

    __tablename__ = "orders"
    __table_args__ = (
        Index(None, "broker", "occurred_at"),
        Index(None, "signal_id"),
        Index(None, "correlation_id"),
    )

    order_id: Mapped[Key]
    signal_id: Mapped[Name | None]
    broker: Mapped[Name]
    account: Mapped[Name | None]
    strategy: Mapped[Name | None]
    instrument: Mapped[Name | None]
    side: Mapped[Name | None]
    order_type: Mapped[Name | None]
    product: Mapped[Name | None]
    validity: Mapped[Name | None]
    quantity: Mapped[Units | None]
    limit_price: Mapped[Money | None]
    status: Mapped[Name]
    rank: Mapped[int]
    filled_quantity: Mapped[Units]
    average_price: Mapped[Money | None]
    broker_order_id: Mapped[Name]
    reason: Mapped[str]
    correlation_id: Mapped[Name]
    occurred_at: Mapped[Moment]
    updated_at: Mapped[Moment]


class FillRow(Base):
    """One fill: an increment of its order's cumulative quantity."""

    __tablename__ = "fills"
    __table_args__ = (Index(None, "order_id"), Index(None, "broker", "occurred_at"))

    fill_id: Mapped[Key]
    order_id: Mapped[Name]
    signal_id: Mapped[Name]
    broker: Mapped[Name]
    account: Mapped[Name]
    strategy: Mapped[Name]
    instrument: Mapped[Name]
    side: Mapped[Name]
    quantity: Mapped[Units]
    price: Mapped[Money]
    cumulative_quantity: Mapped[Units]
    correlation_id: Mapped[Name]
    occurred_at: Mapped[Moment]


class SnapshotRow(Base):
    """One portfolio snapshot. `fills` counts those booked: of two at one time the one with more is the later."""

    __tablename__ = "snapshots"
    __table_args__ = (Index(None, "account", "occurred_at"),)

    snapshot_id: Mapped[Key]
    broker: Mapped[Name]
    account: Mapped[Name]
    cause: Mapped[Name]
    start_cash: Mapped[Money]
    cash: Mapped[Money]
    position_value: Mapped[Money]
    realised: Mapped[Money]
    unrealised: Mapped[Money]
    charges: Mapped[Money]
    equity: Mapped[Money]
    day_pnl: Mapped[Money]
    high_water_mark: Mapped[Money]
    drawdown: Mapped[Money]
    margin_used: Mapped[Money]
    fills: Mapped[Units]
    occurred_at: Mapped[Moment]
    positions: Mapped[list[dict[str, object]]] = mapped_column(JSONB)
    alarms: Mapped[list[dict[str, object]]] = mapped_column(JSONB)


# The newest first. Of two with the same fills at the same event time, the one on marks is the later one.
NEWEST_FIRST = (
    SnapshotRow.fills.desc(),
    SnapshotRow.occurred_at.desc(),
    SnapshotRow.cause.desc(),
    SnapshotRow.snapshot_id.desc(),
)


class ReconciliationRow(Base):
    """One difference between our books and the broker's, as it was last told of."""

    __tablename__ = "reconciliation"
    __table_args__ = (Index(None, "account", "is_resolved"),)

    account: Mapped[Key]
    difference_key: Mapped[Key]
    broker: Mapped[Name]
    kind: Mapped[Name]
    subject: Mapped[Name]
    severity: Mapped[Name]
    instrument: Mapped[Name]
    ours: Mapped[str]
    theirs: Mapped[str]
    value: Mapped[str]
    since: Mapped[Moment]
    is_accepted: Mapped[bool]
    is_resolved: Mapped[bool]
    updated_at: Mapped[Moment]


class AcceptanceRow(Base):
    """An operator's word that a difference is right while it has this value."""

    __tablename__ = "acceptances"

    account: Mapped[Key]
    difference_key: Mapped[Key]
    value: Mapped[str]
    actor: Mapped[Name]
    reason: Mapped[str]
    accepted_at: Mapped[Moment]


__all__ = [
    "NEWEST_FIRST",
    "AcceptanceRow",
    "FillRow",
    "OrderRow",
    "ReconciliationRow",
    "SignalRow",
    "SnapshotRow",
]
