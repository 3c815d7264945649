"""What is stored in PostgreSQL: SQLAlchemy rows, one module per family. The schema itself comes from `migrations`."""

from __future__ import annotations

from models.rows import audit, reference, trading
from models.rows.base import Base

__all__ = ["Base", "audit", "reference", "trading"]
