"""What operators set as limits, in PostgreSQL: changed together with the audit row that says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from faust_app.runtime.audit import record
from faust_app.runtime.codec import encode
from faust_app.runtime.database import create_engine, transaction
from faust_app.runtime.settings import Settings
from faust_app.runtime.topics import SHARED, Topic, TopicName
from models.messages.control import LimitChange, LimitsChanged
from models.messages.envelope import Envelope
from models.rows.reference import LimitsRow

CONTROL = TopicName(Topic.CONTROL_EVENTS, SHARED, is_dlq=False)
NOT_SENT_YET = -1  # partition and offset of an audit row that is written before its message


def scope_of(account: str, strategy: str) -> str:
    """An account or a strategy in it as one text."""
    return f"{account}/{strategy}" if strategy else account


class LimitsStore:
    """Writes limits; `ReferenceData.load_limits` reads them. Methods raise TransientError while PostgreSQL is away."""

    def __init__(self, config: Settings) -> None:
        self._config = config

    async def change(
        self,
        account: str,
        strategy: str,
        wanted: Mapping[str, str | None] | None,
        announce: Callable[[dict[str, LimitChange]], Envelope[LimitsChanged]],
    ) -> Envelope[LimitsChanged] | None:
        """Set or, with None, take away limits by name; all of the scope when `wanted` is None.

        Row and audit row are one transaction. Returns the event to send, or None when nothing has changed.
        """
        engine = create_engine(self._config, pool_size=1)
        try:
            async with transaction(engine) as connection:
                before = await _locked(connection, account, strategy)
                after = _after(before, dict.fromkeys(before) if wanted is None else wanted)
                changes = _changes(before, after)
                await _store(connection, account, strategy, after)
                if not changes:
                    return None
                envelope = announce(changes)
                origin = str(Topic.CONTROL_EVENTS), NOT_SENT_YET, NOT_SENT_YET
                await record(connection, CONTROL, encode(envelope), origin)
                return envelope
        finally:
            await engine.dispose()


async def _locked(connection: AsyncConnection, account: str, strategy: str) -> dict[str, Any]:
    """What is set now; nobody else changes it until the transaction ends."""
    values = {"account": account, "strategy": strategy, "limits": {}, "updated_at": datetime.now(UTC)}
    await connection.execute(insert(LimitsRow).values(**values).on_conflict_do_nothing())
    found = select(LimitsRow.limits).where(LimitsRow.account == account, LimitsRow.strategy == strategy)
    return dict((await connection.execute(found.with_for_update())).scalar_one())


def _after(before: Mapping[str, Any], wanted: Mapping[str, str | None]) -> dict[str, Any]:
    merged = {**before, **wanted}
    return {name: value for name, value in merged.items() if value is not None}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, LimitChange]:
    names = sorted({*before, *after})
    return {
        name: LimitChange(before=_text(before.get(name)), after=_text(after.get(name)))
        for name in names
        if before.get(name) != after.get(name)
    }


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


async def _store(connection: AsyncConnection, account: str, strategy: str, limits: dict[str, Any]) -> None:
    here = LimitsRow.account == account, LimitsRow.strategy == strategy
    if limits:
        await connection.execute(update(LimitsRow).where(*here).values(limits=limits, updated_at=datetime.now(UTC)))
    else:
        await connection.execute(delete(LimitsRow).where(*here))
