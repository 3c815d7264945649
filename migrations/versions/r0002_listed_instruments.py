"""Instruments that vanish are kept and marked; stocks know whether derivatives are written on them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INDEX_OF_TOKENS = "ix_instruments_instrument_token"


def upgrade() -> None:
    """Apply. What is stored counts as listed today, until the next load says more."""
    op.add_column("instruments", sa.Column("has_derivatives", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column(
        "instruments", sa.Column("listed_on", sa.Date(), nullable=False, server_default=sa.func.current_date())
    )
    op.add_column("instruments", sa.Column("vanished_on", sa.Date(), nullable=True))
    op.alter_column("instruments", "has_derivatives", server_default=None)
    op.alter_column("instruments", "listed_on", server_default=None)
    op.drop_index(op.f(INDEX_OF_TOKENS), table_name="instruments")
    op.create_index(
        op.f(INDEX_OF_TOKENS),
        "instruments",
        ["instrument_token"],
        unique=True,
        postgresql_where=sa.text("vanished_on is null"),
    )


def downgrade() -> None:
    """Undo. Instruments that vanished go: there is nothing left to tell them from listed ones."""
    op.execute("delete from instruments where vanished_on is not null")
    op.drop_index(op.f(INDEX_OF_TOKENS), table_name="instruments")
    op.create_index(op.f(INDEX_OF_TOKENS), "instruments", ["instrument_token"], unique=False)
    op.drop_column("instruments", "vanished_on")
    op.drop_column("instruments", "listed_on")
    op.drop_column("instruments", "has_derivatives")
