"""Snapshots have the day's profit, drawdown, margin and alarms"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MONEY = ("day_pnl", "high_water_mark", "drawdown", "margin_used")


def upgrade() -> None:
    """Apply. Snapshots stored before have 0 and no alarms."""
    for name in MONEY:
        op.add_column("snapshots", sa.Column(name, sa.Numeric(28, 12), nullable=False, server_default="0"))
        op.alter_column("snapshots", name, server_default=None)
    alarms = sa.Column("alarms", postgresql.JSONB(astext_type=sa.Text()), nullable=False, server_default="[]")
    op.add_column("snapshots", alarms)
    op.alter_column("snapshots", "alarms", server_default=None)


def downgrade() -> None:
    """Undo."""
    for name in (*MONEY, "alarms"):
        op.drop_column("snapshots", name)
