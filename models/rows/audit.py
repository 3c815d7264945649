"""The audit trail: every event of the pipeline as it was sent, once."""

from __future__ import annotations

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from models.rows.base import Base, Document, Key, Moment, Name, Units


class AuditRow(Base):
    """One message by its id, with the place it was first read from."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "correlation_id"), Index(None, "causation_id"), Index(None, "topic", "occurred_at"))

    event_id: Mapped[Key]
    type: Mapped[Name]
    version: Mapped[int]
    broker: Mapped[Name]
    key: Mapped[Name]
    source: Mapped[Name]
    topic: Mapped[Name]
    partition: Mapped[int]
    offset: Mapped[Units]
    correlation_id: Mapped[Name]
    causation_id: Mapped[Name | None]
    trace_id: Mapped[Name]
    occurred_at: Mapped[Moment]
    recorded_at: Mapped[Moment]
    sent_at: Mapped[Moment | None]  # Kafka's time of the message; of rows before migration 6 and without a message none
    data: Mapped[Document]
