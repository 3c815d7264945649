"""Instruments, strategies, limits, audit trail and what it leads to"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "audit",
        sa.Column("event_id", sa.String(length=256), nullable=False),
        sa.Column("type", sa.String(length=256), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("broker", sa.String(length=256), nullable=False),
        sa.Column("key", sa.String(length=256), nullable=False),
        sa.Column("source", sa.String(length=256), nullable=False),
        sa.Column("topic", sa.String(length=256), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("correlation_id", sa.String(length=256), nullable=False),
        sa.Column("causation_id", sa.String(length=256), nullable=True),
        sa.Column("trace_id", sa.String(length=256), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_causation_id"), "audit", ["causation_id"], unique=False)
    op.create_index(op.f("ix_audit_correlation_id"), "audit", ["correlation_id"], unique=False)
    op.create_index(op.f("ix_audit_topic_occurred_at"), "audit", ["topic", "occurred_at"], unique=False)
    op.create_table(
        "fills",
        sa.Column("fill_id", sa.String(length=256), nullable=False),
        sa.Column("order_id", sa.String(length=256), nullable=False),
        sa.Column("signal_id", sa.String(length=256), nullable=False),
        sa.Column("broker", sa.String(length=256), nullable=False),
        sa.Column("account", sa.String(length=256), nullable=False),
        sa.Column("strategy", sa.String(length=256), nullable=False),
        sa.Column("instrument", sa.String(length=256), nullable=False),
        sa.Column("side", sa.String(length=256), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.Numeric(precision=28, scale=12), nullable=False),
        sa.Column("cumulative_quantity", sa.BigInteger(), nullable=False),
        sa.Column("correlation_id", sa.String(length=256), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("fill_id", name=op.f("pk_fills")),
    )
    op.create_index(op.f("ix_fills_broker_occurred_at"), "fills", ["broker", "occurred_at"], unique=False)
    op.create_index(op.f("ix_fills_order_id"), "fills", ["order_id"], unique=False)
    op.create_table(
        "instruments",
        sa.Column("key", sa.String(length=256), nullable=False),
        sa.Column("instrument_token", sa.BigInteger(), nullable=False),
        sa.Column("exchange_token", sa.BigInteger(), nullable=False),
        sa.Column("exchange", sa.String(length=256), nullable=False),
        sa.Column("tradingsymbol", sa.String(length=256), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("segment", sa.String(length=256), nullable=False),
        sa.Column("instrument_type", sa.String(length=256), nullable=False),
        sa.Column("tick_size", sa.Numeric(precision=28, scale=12), nullable=False),
        sa.Column("lot_size", sa.BigInteger(), nullable=False),
        sa.Column("expiry", sa.Date(), nullable=True),
        sa.Column("strike", sa.Numeric(precision=28, scale=12), nullable=False),
        sa.Column("freeze_quantity", sa.Integer(), nullable=True),
        sa.Column("co_location_group", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_instruments")),
    )
    op.create_index(op.f("ix_instruments_instrument_token"), "instruments", ["instrument_token"], unique=False)
    op.create_table(
        "limits",
        sa.Column("account", sa.String(length=256), nullable=False),
        sa.Column("strategy", sa.String(length=256), nullable=False),
        sa.Column("limits", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", "strategy", name=op.f("pk_limits")),
    )
    op.create_table(
        "orders",
        sa.Column("order_id", sa.String(length=256), nullable=False),
        sa.Column("signal_id", sa.String(length=256), nullable=True),
        sa.Column("broker", sa.String(length=256), nullable=False),
        sa.Column("account", sa.String(length=256), nullable=True),
        sa.Column("strategy", sa.String(length=256), nullable=True),
        sa.Column("instrument", sa.String(length=256), nullable=True),
        sa.Column("side", sa.String(length=256), nullable=True),
        sa.Column("order_type", sa.String(length=256), nullable=True),
        sa.Column("product", sa.String(length=256), nullable=True),
        sa.Column("validity", sa.String(length=256), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=True),
        sa.Column("limit_price", sa.Numeric(precision=28, scale=12), nullable=True),
        sa.Column("status", sa.String(length=256), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("filled_quantity", sa.BigInteger(), nullable=False),
        sa.Column("average_price", sa.Numeric(precision=28, scale=12), nullable=True),
        sa.Column("broker_order_id", sa.String(length=256), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("correlation_id", sa.String(length=256), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_orders")),
    )
    op.create_index(op.f("ix_orders_broker_occurred_at"), "orders", ["broker", "occurred_at"], unique=False)
    op.create_index(op.f("ix_orders_correlation_id"), "orders", ["correlation_id"], unique=False)
    op.create_index(op.f("ix_orders_signal_id"), "orders", ["signal_id"], unique=False)
    op.create_table(
        "reconciliation",
        sa.Column("difference_id", sa.String(length=256), nullable=False),
        sa.Column("broker", sa.String(length=256), nullable=False),
        sa.Column("account", sa.String(length=256), nullable=False),
        sa.Column("kind", sa.String(length=256), nullable=False),
        sa.Column("subject", sa.String(length=256), nullable=False),
        sa.Column("ours", sa.String(), nullable=False),
        sa.Column("theirs", sa.String(), nullable=False),
        sa.Column("is_resolved", sa.Boolean(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("difference_id", name=op.f("pk_reconciliation")),
    )
    op.create_index(
        op.f("ix_reconciliation_account_is_resolved"), "reconciliation", ["account", "is_resolved"], unique=False
    )
    op.create_table(
        "signals",
        sa.Column("signal_id", sa.String(length=256), nullable=False),
        sa.Column("broker", sa.String(length=256), nullable=False),
        sa.Column("account", sa.String(length=256), nullable=False),
        sa.Column("strategy", sa.String(length=256), nullable=False),
        sa.Column("instrument", sa.String(length=256), nullable=True),
        sa.Column("intent", sa.String(length=256), nullable=True),
        sa.Column("decision", sa.String(length=256), nullable=True),
        sa.Column("code", sa.String(length=256), nullable=True),
        sa.Column("correlation_id", sa.String(length=256), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("signal_id", name=op.f("pk_signals")),
    )
    op.create_index(op.f("ix_signals_broker_occurred_at"), "signals", ["broker", "occurred_at"], unique=False)
    op.create_index(op.f("ix_signals_correlation_id"), "signals", ["correlation_id"], unique=False)
    op.create_table(
        "snapshots",
        sa.Column("snapshot_id", sa.String(length=256), nullable=False),
        sa.Column("broker", sa.String(length=256), nullable=False),
        sa.Column("account", sa.String(length=256), nullable=False),
        sa.Column("cause", sa.String(length=256), nullable=False),
        sa.Column("start_cash", sa.Numeric(precision=28, scale=12), nullable=False),
        sa.Column("cash", sa.Numeric(precision=28, scale=12), nullable=False),
        sa.Column("position_value", sa.Numeric(precision=28, scale=12), nullable=False),
        sa.Column("realised", sa.Numeric(precision=28, scale=12), nullable=False),
        sa.Column("unrealised", sa.Numeric(precision=28, scale=12), nullable=False),
        sa.Column("charges", sa.Numeric(precision=28, scale=12), nullable=False),
        sa.Column("equity", sa.Numeric(precision=28, scale=12), nullable=False),
        sa.Column("fills", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("positions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("snapshot_id", name=op.f("pk_snapshots")),
    )
    op.create_index(op.f("ix_snapshots_account_occurred_at"), "snapshots", ["account", "occurred_at"], unique=False)
    op.create_table(
        "strategies",
        sa.Column("instance", sa.String(length=256), nullable=False),
        sa.Column("strategy", sa.String(length=256), nullable=False),
        sa.Column("parameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("instruments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("brokers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("instance", name=op.f("pk_strategies")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("strategies")
    op.drop_index(op.f("ix_snapshots_account_occurred_at"), table_name="snapshots")
    op.drop_table("snapshots")
    op.drop_index(op.f("ix_signals_correlation_id"), table_name="signals")
    op.drop_index(op.f("ix_signals_broker_occurred_at"), table_name="signals")
    op.drop_table("signals")
    op.drop_index(op.f("ix_reconciliation_account_is_resolved"), table_name="reconciliation")
    op.drop_table("reconciliation")
    op.drop_index(op.f("ix_orders_signal_id"), table_name="orders")
    op.drop_index(op.f("ix_orders_correlation_id"), table_name="orders")
    op.drop_index(op.f("ix_orders_broker_occurred_at"), table_name="orders")
    op.drop_table("orders")
    op.drop_table("limits")
    op.drop_index(op.f("ix_instruments_instrument_token"), table_name="instruments")
    op.drop_table("instruments")
    op.drop_index(op.f("ix_fills_order_id"), table_name="fills")
    op.drop_index(op.f("ix_fills_broker_occurred_at"), table_name="fills")
    op.drop_table("fills")
    op.drop_index(op.f("ix_audit_topic_occurred_at"), table_name="audit")
    op.drop_index(op.f("ix_audit_correlation_id"), table_name="audit")
    op.drop_index(op.f("ix_audit_causation_id"), table_name="audit")
    op.drop_table("audit")
