"""PostgreSQL through SQLAlchemy: the engine, transactions, and the writing of strategies."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import URL, event, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, InterfaceError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from faust_app.runtime.errors import TransientError
from faust_app.runtime.postgres import (
    AWAY_STATES,
    CONNECT_SECONDS,
    connect_arguments,
    is_away,
    note_connection,
    note_query,
)
from faust_app.runtime.reference_data import StrategyInstance
from faust_app.runtime.sections import PostgresSettings
from faust_app.runtime.settings import Settings
from models.rows.reference import InstrumentRow, StrategyRow


def database_url(config: PostgresSettings) -> URL:
    """Address without the password, which `connect_arguments` adds."""
    on_socket = config.host.startswith("/")
    return URL.create(
        "postgresql+asyncpg",
        username=config.user,
        host=None if on_socket else config.host,
        port=None if on_socket else config.port,
        database=config.database,
    )


def create_engine(settings: Settings, *, pool_size: int = 4) -> AsyncEngine:
    """An engine that opens connections when first used."""
    engine = create_async_engine(
        database_url(settings.postgres),
        connect_args=connect_arguments(settings),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS,
        pool_pre_ping=False,
        pool_recycle=1800,
    )
    _watch(engine)
    return engine


def _watch(engine: AsyncEngine) -> None:
    """Count connections and time statements: those SQLAlchemy prepares asyncpg's own log does not hear of."""

    def begin(_connection: Any, _cursor: Any, _text: str, _values: Any, context: Any, _many: bool) -> None:
        context.began = time.perf_counter()

    def end(_connection: Any, _cursor: Any, text: str, _values: Any, context: Any, _many: bool) -> None:
        note_query(time.perf_counter() - context.began, text)

    def fail(failure: ExceptionContext) -> None:
        began = getattr(failure.execution_context, "began", None)
        if began is not None:
            note_query(time.perf_counter() - began, failure.statement or "")

    event.listen(engine.sync_engine, "connect", lambda _opened, _record: note_connection())
    event.listen(engine.sync_engine, "before_cursor_execute", begin)
    event.listen(engine.sync_engine, "after_cursor_execute", end)
    event.listen(engine.sync_engine, "handle_error", fail)


def transient(error: BaseException) -> bool:
    """True when PostgreSQL is away or asks to try again; False when the statement itself is wrong."""
    if isinstance(error, (PoolTimeout, InterfaceError)) or is_away(error):
        return True
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None) or ""
        return bool(error.connection_invalidated) or state.startswith(AWAY_STATES) or _has_lost(error.orig)
    return False


def _has_lost(cause: BaseException | None) -> bool:
    while cause is not None:
        if isinstance(cause, (OSError, TimeoutError)):
            return True
        cause = cause.__cause__
    return False


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction; TransientError when PostgreSQL is away."""
    try:
        async with engine.begin() as connection:
            yield connection
    except (SQLAlchemyError, OSError) as error:
        if transient(error):
            raise TransientError(f"PostgreSQL is away ({type(error).__name__})") from error
        raise


class Repository:
    """Writes strategies; `ReferenceData` reads them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add_strategies(self, instances: Iterable[StrategyInstance]) -> list[str]:
        """Insert those that do not exist yet; an operator's changes stay. Returns the names added."""
        added: list[str] = []
        async with transaction(self._engine) as connection:
            for one in instances:
                statement = insert(StrategyRow).values(**_strategy_values(one)).on_conflict_do_nothing()
                row = await connection.execute(statement.returning(StrategyRow.instance))
                added.extend(row.scalars())
        return added

    async def co_locate(self, groups: Mapping[str, str]) -> None:
        """Put instruments, by key, into co-location groups: before workers start, for they keep their partitions."""
        async with transaction(self._engine) as connection:
            for key, group in groups.items():
                statement = update(InstrumentRow).where(InstrumentRow.key == key)
                await connection.execute(statement.values(co_location_group=group))

    async def change_strategy(self, instance: str, **values: Any) -> bool:
        """Change columns of one instance; False when it does not exist."""
        statement = update(StrategyRow).where(StrategyRow.instance == instance)
        async with transaction(self._engine) as connection:
            changed = await connection.execute(statement.values(**values, updated_at=datetime.now(UTC)))
        return bool(changed.rowcount)


def _strategy_values(one: StrategyInstance) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in StrategyInstance.__struct_fields__}
    lists = {"instruments": list(one.instruments), "brokers": list(one.brokers)}
    return {**values, **lists, "updated_at": datetime.now(UTC)}
