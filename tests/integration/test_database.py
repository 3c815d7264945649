"""The schema up and down, reference data, and the ledger's upserts in any order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import permutations
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from faust_app.commands import chain
from faust_app.runtime import postgres, schema
from faust_app.runtime.acceptances import store_acceptances
from faust_app.runtime.audit import record
from faust_app.runtime.codec import encode, event_time, root
from faust_app.runtime.database import Repository, create_engine, transaction
from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.postgres import schema_name
from faust_app.runtime.reference_data import ReferenceData, StrategyInstance
from faust_app.runtime.settings import Settings
from faust_app.runtime.topics import Topic, TopicName
from models.messages import ids
from models.messages.orders import OrderStatus, OrderSubmitted
from models.messages.reconciliation import (
    AcceptedDifference,
    DifferencesAccepted,
    OpenDifference,
    ReconciliationDifference,
    ReconciliationRound,
)
from models.messages.reconciliation import DifferenceState as D
from models.messages.signals import AcceptedSignal, DeniedSignal
from models.rows import Base
from models.rows.audit import AuditRow
from models.rows.reference import InstrumentRow
from models.rows.trading import FillRow, OrderRow, ReconciliationRow, SignalRow
from tests.factories import AT, filled, instrument, order, origin, signal, update


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    await schema.migrate(settings)
    found = create_engine(settings)
    yield found
    await found.dispose()


async def test_upgrade_downgrade_upgrade(settings: Settings) -> None:
    await schema.migrate(settings)
    assert await schema.current(settings) == schema.revisions(settings)[-1]
    assert await tables(settings) == {*Base.metadata.tables, "alembic_version"}
    await schema.migrate(settings, schema.BASE, down=True)
    assert await tables(settings) == {"alembic_version"}
    assert await schema.current(settings) is None
    await schema.migrate(settings)
    await schema.migrate(settings)


async def tables(settings: Settings) -> set[str]:
    engine = create_engine(settings, pool_size=1)
    try:
        async with transaction(engine) as connection:
            query = text("select tablename from pg_tables where schemaname = :name")
            return set((await connection.execute(query, {"name": schema_name(settings.namespace)})).scalars())
    finally:
        await engine.dispose()


async def test_statements_are_timed_and_slow_ones_counted(
    settings: Settings, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through SQLAlchemy and past it, and those that fail, too."""
    monkeypatch.setattr(postgres, "SLOW_SECONDS", 0.05)

    def counted() -> list[float]:
        names = ("alpha_panda_slow_queries_total", "alpha_panda_query_duration_seconds_count")
        return [REGISTRY.get_sample_value(name) or 0.0 for name in names]

    slow, timed = counted()
    async with transaction(engine) as connection:
        await connection.execute(text("select 1"))
        await connection.execute(text("select pg_sleep(0.1)"))
    assert counted() == [slow + 1, timed + 2]
    async with engine.connect() as connection:
        await connection.execute(text("set statement_timeout = 100"))
        with pytest.raises(DBAPIError, match="statement timeout"):
            await connection.execute(text("select pg_sleep(5)"))
        await connection.invalidate()
    assert counted() == [slow + 2, timed + 4]
    async with postgres.connection(settings) as opened:
        await opened.fetch("select pg_sleep(0.1)")
    assert counted() == [slow + 3, timed + 5]


async def test_rows_and_migrations_agree(settings: Settings, engine: AsyncEngine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    def differences(connection: Any) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))

    async with transaction(engine) as connection:
        assert await connection.run_sync(differences) == []


async def test_unknown_revision_is_refused(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="There is no revision 'nope'"):
        await schema.migrate(settings, "nope")


async def test_database_that_is_away_is_transient(settings: Settings) -> None:
    away = settings.model_copy(update={"postgres": settings.postgres.model_copy(update={"port": 1})})
    with pytest.raises(TransientError, match="PostgreSQL does not answer"):
        await schema.migrate(away)
    with pytest.raises(TransientError):
        await ReferenceData(away).load_instruments()
    engine = create_engine(away)
    with pytest.raises(TransientError):
        await Repository(engine).change_strategy("m", enabled=True)
    await engine.dispose()


async def test_seeding_again_keeps_what_an_operator_changed(settings: Settings, engine: AsyncEngine) -> None:
    repository = Repository(engine)
    one = StrategyInstance(
        instance="m", strategy="momentum", parameters={"fast": 8}, instruments=("*",), brokers=("paper",), enabled=True
    )
    assert await repository.add_strategies([one]) == ["m"]
    assert await repository.change_strategy("m", enabled=False)
    assert await repository.add_strategies([one]) == []
    assert [row.enabled for row in await ReferenceData(settings).load_strategies()] == [False]
    assert not await repository.change_strategy("nope", enabled=False)


async def test_protection_is_an_option_of_each_strategy(settings: Settings, engine: AsyncEngine) -> None:
    repository, wanted = Repository(engine), {"stop_percent": "2", "target_percent": "4.5"}
    row = {"strategy": "momentum", "parameters": {}, "instruments": ("*",), "brokers": ("zerodha",), "enabled": False}
    names = ["with", "without"]
    await repository.add_strategies(
        [
            StrategyInstance(instance="with", protection=wanted, **row),
            StrategyInstance(instance="without", **row),
        ]
    )

    async def stored() -> list[dict[str, str] | None]:
        found = await ReferenceData(settings).load_strategies()
        return [one.protection for one in found if one.instance in names]

    assert await stored() == [wanted, None]
    await repository.change_strategy("with", protection=None)
    await repository.change_strategy("without", protection=wanted)
    assert await stored() == [None, wanted]


def raw(body: msgspec.Struct, message_id: str, at: int = AT) -> bytes:
    return encode(root(body, message_id=message_id, broker="paper", key="paper:main", source="test", at=event_time(at)))


def story() -> list[tuple[Topic, bytes]]:
    """Everything that happens to one signal, in order."""
    one = order(signal_id="s")
    return [
        (Topic.SIGNALS_RAW, raw(signal(signal_id="s"), "s")),
        (
            Topic.SIGNALS_VALIDATED,
            raw(
                AcceptedSignal(
                    signal_id="s", account="paper:main", strategy="momentum", orders=(one,), origin=origin()
                ),
                "d",
            ),
        ),
        (Topic.ORDERS_SUBMITTED, raw(OrderSubmitted(order=one), "o")),
        (Topic.ORDERS_UPDATES, raw(update(OrderStatus.PARTIALLY_FILLED, 4, "100"), "u4")),
        (Topic.ORDERS_UPDATES, raw(update(OrderStatus.FILLED, 10, "103"), "u10")),
        (Topic.ORDERS_FILLED, raw(filled(one, 4, "100", 4), ids.fill_id(one.order_id, 4))),
        (Topic.ORDERS_FILLED, raw(filled(one, 6, "105", 10), ids.fill_id(one.order_id, 10))),
    ]


async def tell(engine: AsyncEngine, events: Sequence[tuple[Topic, bytes]]) -> None:
    for number, (topic, message) in enumerate(events):
        async with transaction(engine) as connection:
            await record(connection, TopicName(topic, "paper", is_dlq=False), message, (str(topic), 0, number))


async def test_a_signal_accepted_in_part_says_so_in_any_order(engine: AsyncEngine) -> None:
    raised = signal(signal_id="s")
    rest = DeniedSignal(
        signal_id="s",
        account="paper:main",
        strategy="momentum",
        instrument="NSE:INFY",
        code="reducing_only",
        message="Only orders that reduce are allowed",
        is_rest=True,
        signal=raised,
    )
    accepted = AcceptedSignal(
        signal_id="s", account="paper:main", strategy="momentum", orders=(order(),), origin=origin(), rest=rest
    )
    events = [
        (Topic.SIGNALS_RAW, raw(raised, "s")),
        (Topic.SIGNALS_VALIDATED, raw(accepted, ids.decision_id("s"))),
        (Topic.SIGNALS_REJECTED, raw(rest, ids.rest_id("s"))),
    ]
    for chosen in permutations(events):
        await tell(engine, [*chosen, *chosen])
        async with transaction(engine) as connection:
            row = (await connection.execute(select(SignalRow.__table__))).one()
            assert (row.decision, row.code, row.intent) == ("accepted", "reducing_only", "open")
            audited = (await connection.execute(select(func.count()).select_from(AuditRow))).scalar()
            assert audited == len(events)
            for table in ("signals", "audit"):
                await connection.execute(text(f"truncate {table}"))


async def test_events_in_any_order_and_repeated_give_the_same_rows(engine: AsyncEngine) -> None:
    """A sample of the 5,040 orders; each starts from an empty schema."""
    events = story()
    for chosen in list(permutations(events))[:: 5040 // 24]:
        await tell(engine, [*chosen, *chosen[:3]])
        async with transaction(engine) as connection:
            row = (await connection.execute(select(OrderRow.__table__))).one()
            assert (row.status, row.filled_quantity, row.average_price) == ("filled", 10, Decimal(103))
            assert (row.quantity, row.signal_id, row.instrument) == (10, "s", "NSE:INFY")
            raised = (await connection.execute(select(SignalRow.__table__))).one()
            assert (raised.decision, raised.intent, raised.instrument) == ("accepted", "open", "NSE:INFY")
            fills = (await connection.execute(select(func.sum(FillRow.quantity)))).scalar()
            audited = (await connection.execute(select(func.count()).select_from(AuditRow))).scalar()
            assert (fills, audited) == (10, len(events))
            for table in ("orders", "signals", "fills", "audit"):
                await connection.execute(text(f"truncate {table}"))


async def test_the_audit_trail_keeps_when_kafka_got_a_message_and_chains_are_found_by_any_id(
    settings: Settings, engine: AsyncEngine
) -> None:
    one, at = story()[0], 1_787_000_000.25
    for sent_at in (at, at + 60):  # the first time counts
        async with transaction(engine) as connection:
            name = TopicName(one[0], "paper", is_dlq=False)
            await record(connection, name, one[1], (str(one[0]), 0, 1), sent_at)
    await tell(engine, story()[1:])
    async with transaction(engine) as connection:
        rows = {row.event_id: row for row in await connection.execute(select(AuditRow.__table__))}
    assert rows["s"].sent_at == datetime.fromtimestamp(at, UTC)
    assert {row.sent_at for name, row in rows.items() if name != "s"} == {None}
    order_id = rows["o"].data["order"]["order_id"]
    fill = ids.fill_id(order_id, 10)
    assert await chain._stored_chains(settings, "s") == {"s"}
    assert await chain._stored_chains(settings, fill) == {fill}
    assert await chain._stored_chains(settings, order_id) >= {"o", "u4", "u10", fill}
    assert await chain._stored_chains(settings, "nobody") == set()
    found = await chain._stored(settings, {"s", "o"})
    assert {name: row["at"] for name, row in found.items()} == {"s": rows["s"].sent_at, "o": None}


async def test_instruments_of_a_group_are_found_in_it(settings: Settings, engine: AsyncEngine) -> None:
    values = msgspec.structs.asdict(instrument())
    del values["group"]
    values |= {"co_location_group": "", "listed_on": date(2026, 8, 20)}
    async with transaction(engine) as connection:
        for token, symbol in ((257, "A"), (513, "B")):
            row = values | {"instrument_token": token, "tradingsymbol": symbol, "key": f"NSE:{symbol}"}
            await connection.execute(insert(InstrumentRow).values(**row))
    await Repository(engine).co_locate({"NSE:A": "NSE:A", "NSE:B": "NSE:A", "NSE:UNKNOWN": "NSE:A"})
    found = {one.key: one.co_location_group for one in await ReferenceData(settings).load_instruments()}
    assert found == {"NSE:A": "NSE:A", "NSE:B": "NSE:A"}


def difference(state: D, ours: str, key: str = "position_quantity|NSE:INFY MIS") -> ReconciliationDifference:
    kind, _, subject = key.partition("|")
    found = OpenDifference(
        key=key, kind=kind, subject=subject, severity="blocks_account", instrument="NSE:INFY", ours=ours, theirs="5",
        value=ours, since=AT,
    )  # fmt: skip
    return ReconciliationDifference(account="paper:main", state=state, difference=found, at=AT)


async def test_the_newest_word_on_a_difference_counts_in_any_order(engine: AsyncEngine) -> None:
    story = [difference(D.APPEARED, "1"), difference(D.CHANGED, "2"), difference(D.RESOLVED, "2")]
    events = [(Topic.RECONCILIATION, raw(body, f"event {number}", at=AT + number)) for number, body in enumerate(story)]
    columns = ReconciliationRow.ours, ReconciliationRow.is_resolved
    for order_of_arrival in permutations(events):
        async with transaction(engine) as connection:
            await connection.execute(delete(ReconciliationRow))
        await tell(engine, order_of_arrival)
        async with transaction(engine) as connection:
            assert [tuple(row) for row in await connection.execute(select(*columns))] == [("2", True)]


async def test_a_round_resolves_what_it_does_not_name(engine: AsyncEngine) -> None:
    kept, gone = difference(D.APPEARED, "1"), difference(D.APPEARED, "1", "position_quantity|NSE:TCS MIS")
    told = ReconciliationRound(account="paper:main", at=AT, number=1, open=(kept.difference,))
    events = [raw(kept, "kept"), raw(gone, "gone"), raw(told, "round", at=AT + 1), raw(told, "older", at=AT - 1)]
    await tell(engine, [(Topic.RECONCILIATION, one) for one in events])
    columns = ReconciliationRow.subject, ReconciliationRow.is_resolved
    async with transaction(engine) as connection:
        found = {tuple(row) for row in await connection.execute(select(*columns))}
    assert found == {("NSE:INFY MIS", False), ("NSE:TCS MIS", True)}


async def test_acceptances_are_kept_with_their_audit_row_until_the_difference_is_resolved(
    settings: Settings, engine: AsyncEngine
) -> None:
    one = difference(D.APPEARED, "1")
    accepted = AcceptedDifference(key=one.difference.key, value="1")
    body = DifferencesAccepted(account="paper:main", accepted=(accepted,), actor="owner", reason="mine")
    envelope = root(body, message_id="a", broker="shared", key="-", source="operator", at=event_time(AT))
    await store_acceptances(settings, envelope)
    await store_acceptances(settings, envelope)
    data = ReferenceData(settings)
    assert await data.load_acceptances("paper:main") == [accepted]
    assert await data.load_acceptances("zerodha:main") == []
    await tell(engine, [(Topic.RECONCILIATION, raw(one, "1"))])
    assert await data.load_acceptances("paper:main") == [accepted]
    await tell(engine, [(Topic.RECONCILIATION, raw(difference(D.RESOLVED, "1"), "2", at=AT + 1))])
    assert await data.load_acceptances("paper:main") == []
    async with transaction(engine) as connection:
        found = await connection.execute(select(AuditRow.data).where(AuditRow.type == "control.differences_accepted"))
        assert [row.data["reason"] for row in found] == ["mine"]
