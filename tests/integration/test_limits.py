"""Limits in a real PostgreSQL: the change and its audit row together, whoever else is changing them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from faust_app.commands.control_events import operator_event
from faust_app.runtime import audit, limits_store, schema
from faust_app.runtime.audit import record
from faust_app.runtime.codec import encode
from faust_app.runtime.database import create_engine, transaction
from faust_app.runtime.errors import TransientError
from faust_app.runtime.limits_store import CONTROL, LimitsStore, scope_of
from faust_app.runtime.reference_data import ReferenceData
from faust_app.runtime.sections import RiskSettings
from faust_app.runtime.settings import Settings
from models.messages.control import LimitChange, LimitsChanged
from models.messages.envelope import Envelope
from models.rows.audit import AuditRow
from models.rows.reference import LimitsRow
from trading.risk.limits import NAMES, Limits

ACCOUNT = "paper:main"


@pytest.fixture
async def migrated(settings: Settings) -> Settings:
    await schema.migrate(settings)
    return settings


async def change(settings: Settings, wanted: dict[str, str | None] | None, strategy: str = "") -> Any:
    """What an operator does."""
    scope = scope_of(ACCOUNT, strategy)

    def announce(changes: dict[str, LimitChange]) -> Envelope[LimitsChanged]:
        event = LimitsChanged(
            scope=scope, account=ACCOUNT, strategy=strategy, changes=changes, actor="me", reason="test"
        )
        return operator_event(event, scope)

    return await LimitsStore(settings).change(ACCOUNT, strategy, wanted, announce)


async def rows(settings: Settings, *columns: Any) -> list[Any]:
    engine: AsyncEngine = create_engine(settings, pool_size=1)
    try:
        async with transaction(engine) as connection:
            return list(await connection.execute(select(*columns)))
    finally:
        await engine.dispose()


async def test_what_is_set_is_read_by_scope(migrated: Settings) -> None:
    data = ReferenceData(migrated)
    assert await data.load_limits(ACCOUNT) == {}
    await change(migrated, {"max_open_orders": "5", "max_daily_loss": "0.10"})
    await change(migrated, {"max_open_orders": "3"}, "rsi")
    assert await data.load_limits(ACCOUNT) == {
        "": {"max_open_orders": "5", "max_daily_loss": "0.10"},
        "rsi": {"max_open_orders": "3"},
    }
    assert await data.load_limits("zerodha:main") == {}


async def test_each_change_has_one_audit_row_also_after_the_ledger_has_seen_it(migrated: Settings) -> None:
    first = await change(migrated, {"max_open_orders": "5"})
    assert await change(migrated, {"max_open_orders": "5"}) is None
    second = await change(migrated, {"max_open_orders": "6", "max_daily_loss": "7"})
    engine = create_engine(migrated)
    for envelope in (first, second):
        async with transaction(engine) as connection:
            await record(connection, CONTROL, encode(envelope), ("control.events", 0, 12))
    await engine.dispose()
    found = {row.event_id: row for row in await rows(migrated, *AuditRow.__table__.columns)}
    assert set(found) == {first.id, second.id}
    row = found[second.id]
    assert (row.type, row.key, row.source, row.topic) == ("control.limits", ACCOUNT, "operator", "control.events")
    assert row.data["changes"] == {
        "max_open_orders": {"before": "5", "after": "6"},
        "max_daily_loss": {"before": None, "after": "7"},
    }
    assert (row.data["actor"], row.data["reason"]) == ("me", "test")


async def test_a_reset_leaves_no_row(migrated: Settings) -> None:
    await change(migrated, {"max_open_orders": "5", "max_daily_loss": "7"})
    event = await change(migrated, {"max_open_orders": None})
    assert event.data.changes == {"max_open_orders": LimitChange(before="5", after=None)}
    assert await ReferenceData(migrated).load_limits(ACCOUNT) == {"": {"max_daily_loss": "7"}}
    await change(migrated, None)
    assert await rows(migrated, LimitsRow.account) == []
    assert await change(migrated, None) is None
    assert await rows(migrated, LimitsRow.account) == []


async def test_changes_at_the_same_time_are_all_kept(migrated: Settings) -> None:
    names = [f"limit_{number}" for number in range(8)]
    events = await asyncio.gather(*(change(migrated, {name: "1"}) for name in names))
    assert await ReferenceData(migrated).load_limits(ACCOUNT) == {"": dict.fromkeys(names, "1")}
    assert len(await rows(migrated, AuditRow.event_id)) == len(events)


async def test_without_its_audit_row_a_change_is_not_made(migrated: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("no audit")

    monkeypatch.setattr(limits_store, "record", broken)
    with pytest.raises(RuntimeError, match="no audit"):
        await change(migrated, {"max_open_orders": "5"})
    assert await rows(migrated, LimitsRow.account) == []
    monkeypatch.setattr(limits_store, "record", audit.record)
    await change(migrated, {"max_open_orders": "5"})
    assert len(await rows(migrated, LimitsRow.account)) == 1


async def test_a_database_that_is_away_is_transient(migrated: Settings) -> None:
    away = migrated.model_copy(update={"postgres": migrated.postgres.model_copy(update={"port": 1})})
    with pytest.raises(TransientError):
        await change(away, {"max_open_orders": "5"})
    with pytest.raises(TransientError):
        await ReferenceData(away).load_limits(ACCOUNT)


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ('{"max_open_orders": null, "x": [1]}', {"max_open_orders": None, "x": [1]}),
        ("[1, 2]", dict.fromkeys(NAMES)),
        ("7", dict.fromkeys(NAMES)),
    ],
)
async def test_a_row_that_somebody_spoiled_is_read_as_no_limit(migrated: Settings, stored: str, read: Any) -> None:
    await change(migrated, {"max_open_orders": "5"})
    engine = create_engine(migrated)
    async with transaction(engine) as connection:
        await connection.execute(text(f"update limits set limits = '{stored}'"))  # noqa: S608 - a value of this test
    await engine.dispose()
    found = await ReferenceData(migrated).load_limits(ACCOUNT)
    assert found == {"": read}
    assert "max_open_orders" in Limits.from_layers(RiskSettings.model_validate({}).model_dump(), found[""]).unusable
