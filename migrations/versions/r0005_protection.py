"""Strategy instances may ask for stops at the exchange"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Instances stored before have none."""
    op.add_column("strategies", sa.Column("protection", postgresql.JSONB(astext_type=sa.Text()), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("strategies", "protection")
