"""Differences from the broker by their keys, and what an operator has accepted of them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
NAME = sa.String(length=256)
OPEN = "ix_reconciliation_account_is_resolved"


def upgrade() -> None:
    """Apply. No release has written the table before."""
    op.drop_table("reconciliation")
    op.create_table(
        "reconciliation",
        sa.Column("account", NAME, nullable=False),
        sa.Column("difference_key", NAME, nullable=False),
        sa.Column("broker", NAME, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("subject", NAME, nullable=False),
        sa.Column("severity", NAME, nullable=False),
        sa.Column("instrument", NAME, nullable=False),
        sa.Column("ours", sa.String(), nullable=False),
        sa.Column("theirs", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("is_accepted", sa.Boolean(), nullable=False),
        sa.Column("is_resolved", sa.Boolean(), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("account", "difference_key", name=op.f("pk_reconciliation")),
    )
    op.create_index(op.f(OPEN), "reconciliation", ["account", "is_resolved"], unique=False)
    op.create_table(
        "acceptances",
        sa.Column("account", NAME, nullable=False),
        sa.Column("difference_key", NAME, nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("actor", NAME, nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("accepted_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("account", "difference_key", name=op.f("pk_acceptances")),
    )


def downgrade() -> None:
    """Undo. What was found is in the audit trail."""
    op.drop_table("acceptances")
    op.drop_table("reconciliation")
    op.create_table(
        "reconciliation",
        sa.Column("difference_id", NAME, nullable=False),
        sa.Column("broker", NAME, nullable=False),
        sa.Column("account", NAME, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("subject", NAME, nullable=False),
        sa.Column("ours", sa.String(), nullable=False),
        sa.Column("theirs", sa.String(), nullable=False),
        sa.Column("is_resolved", sa.Boolean(), nullable=False),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("difference_id", name=op.f("pk_reconciliation")),
    )
    op.create_index(op.f("ix_reconciliation_account_is_resolved"), "reconciliation", ["account", "is_resolved"])
