"""Reference data an operator loads and changes: instruments, strategy instances, limits."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Date, Index, Integer, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.rows.base import Base, Document, Key, Moment, Money, Name, Units


class InstrumentRow(Base):
    """One instrument by `EXCHANGE:TRADINGSYMBOL`, once listed kept; a token belongs to one listed instrument."""

    __tablename__ = "instruments"
    __table_args__ = (Index(None, "instrument_token", unique=True, postgresql_where=text("vanished_on is null")),)

    key: Mapped[Key]
    instrument_token: Mapped[Units]
    exchange_token: Mapped[Units]
    exchange: Mapped[Name]
    tradingsymbol: Mapped[Name]
    name: Mapped[Name]
    segment: Mapped[Name]
    instrument_type: Mapped[Name]
    tick_size: Mapped[Money]
    lot_size: Mapped[Units]
    expiry: Mapped[date | None] = mapped_column(Date)
    strike: Mapped[Money]
    freeze_quantity: Mapped[int | None] = mapped_column(Integer)
    has_derivatives: Mapped[bool]
    co_location_group: Mapped[Name]  # empty: the instrument is its own
    listed_on: Mapped[date] = mapped_column(Date)  # of the newest dump that has it
    vanished_on: Mapped[date | None] = mapped_column(Date)  # of the first dump that no longer had it


class StrategyRow(Base):
    """One strategy instance: class by registry name, typed parameters, what it watches and where it trades."""

    __tablename__ = "strategies"

    instance: Mapped[Key]
    strategy: Mapped[Name]
    parameters: Mapped[Document]
    instruments: Mapped[list[str]] = mapped_column(JSONB)  # keys, or ["*"] for all
    brokers: Mapped[list[str]] = mapped_column(JSONB)
    enabled: Mapped[bool]
    updated_at: Mapped[Moment]
    protection: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))  # null: no stops


class LimitsRow(Base):
    """Risk limits of an account (`strategy` empty) or what differs from them for one strategy."""

    __tablename__ = "limits"

    account: Mapped[Key]
    strategy: Mapped[Key]
    limits: Mapped[Document]
    updated_at: Mapped[Moment]
