"""PostgreSQL: the engine, what counts as "away", and the reference data stages load.

A replay's tables live in a schema of their own, found through the connection's `search_path`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, InterfaceError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.settings import PostgresSettings, Settings
from models.rows.reference import InstrumentRow, LimitsRow, StrategyRow
from trading.market.instruments import Instrument

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 30.0
AWAY_STATES = ("08", "53", "57P", "40")  # connection, resources, shutdown, rolled back: try again
ROWS_AT_ONCE = 1000
OWN_SCHEMA = "public"


class StrategyInstance(msgspec.Struct, frozen=True, kw_only=True):
    """One configured strategy instance. `instruments` holds keys, or `*` alone for all."""

    instance: str
    strategy: str
    parameters: dict[str, Any]
    instruments: tuple[str, ...]
    brokers: tuple[str, ...]
    enabled: bool


def schema_name(namespace: str) -> str:
    """Schema of a namespace: `public` for the pipeline itself, `replay_1` for `replay-1.`."""
    return namespace.rstrip(".").replace("-", "_") or OWN_SCHEMA


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


def connect_arguments(settings: Settings) -> dict[str, Any]:
    """Arguments of `asyncpg.connect` that are not part of the address."""
    config = settings.postgres
    arguments: dict[str, Any] = {
        "timeout": CONNECT_SECONDS,
        "command_timeout": COMMAND_SECONDS,
        "server_settings": {"search_path": schema_name(settings.namespace), "application_name": "alpha-panda"},
    }
    if config.host.startswith("/"):
        arguments |= {"host": config.host, "port": config.port}
    if config.password_file is not None:
        arguments["password"] = _password(config.password_file)
    return arguments


def _password(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        raise ConfigurationError(f"postgres.password_file {file}: {error.strerror}") from error


def create_engine(settings: Settings, *, pool_size: int = 4) -> AsyncEngine:
    """An engine that opens connections when first used."""
    return create_async_engine(
        database_url(settings.postgres),
        connect_args=connect_arguments(settings),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS,
        pool_pre_ping=False,
        pool_recycle=1800,
    )


def transient(error: BaseException) -> bool:
    """True when PostgreSQL is away or asks to try again; False when the statement itself is wrong."""
    if isinstance(error, (OSError, TimeoutError, asyncio.TimeoutError, PoolTimeout, InterfaceError)):
        return True
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None) or ""
        return bool(error.connection_invalidated) or state.startswith(AWAY_STATES) or _is_away(error.orig)
    return type(error).__module__.startswith("asyncpg") and (getattr(error, "sqlstate", None) or "08").startswith(
        AWAY_STATES
    )


def _is_away(cause: BaseException | None) -> bool:
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
    """Reference data: instruments, strategy instances, limits."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def load_instruments(self) -> list[Instrument]:
        """All instruments, in key order."""
        table = InstrumentRow.__table__
        async with transaction(self._engine) as connection:
            rows = await connection.execute(select(table).order_by(InstrumentRow.key))
        return [_instrument(row._mapping) for row in rows]

    async def replace_instruments(self, instruments: Sequence[Instrument]) -> None:
        """Make `instruments` the whole list, in one transaction."""
        rows = [_instrument_values(one) for one in instruments]
        async with transaction(self._engine) as connection:
            await connection.execute(delete(InstrumentRow))
            for start in range(0, len(rows), ROWS_AT_ONCE):
                await connection.execute(insert(InstrumentRow), rows[start : start + ROWS_AT_ONCE])

    async def load_strategies(self) -> list[StrategyInstance]:
        """All instances, enabled or not, in name order."""
        async with transaction(self._engine) as connection:
            rows = await connection.execute(select(StrategyRow.__table__).order_by(StrategyRow.instance))
        return [_strategy(row._mapping) for row in rows]

    async def add_strategies(self, instances: Iterable[StrategyInstance]) -> list[str]:
        """Insert those that do not exist yet; an operator's changes stay. Returns the names added."""
        added: list[str] = []
        async with transaction(self._engine) as connection:
            for one in instances:
                statement = insert(StrategyRow).values(**_strategy_values(one)).on_conflict_do_nothing()
                row = await connection.execute(statement.returning(StrategyRow.instance))
                added.extend(row.scalars())
        return added

    async def change_strategy(self, instance: str, **values: Any) -> bool:
        """Change columns of one instance; False when it does not exist."""
        statement = update(StrategyRow).where(StrategyRow.instance == instance)
        async with transaction(self._engine) as connection:
            changed = await connection.execute(statement.values(**values, updated_at=datetime.now(UTC)))
        return bool(changed.rowcount)

    async def load_limits(self, account: str) -> dict[str, dict[str, Any]]:
        """Full limits by strategy; the account's own are under the empty name. Empty when it has none."""
        async with transaction(self._engine) as connection:
            rows = await connection.execute(
                select(LimitsRow.strategy, LimitsRow.limits).where(LimitsRow.account == account)
            )
        found = {strategy: dict(limits) for strategy, limits in rows}
        if "" not in found:
            return {}
        return {strategy: {**found[""], **limits} for strategy, limits in found.items()}

    async def add_limits(self, account: str, limits: dict[str, Any]) -> bool:
        """Give the account limits when it has none; True when it did not."""
        values = {"account": account, "strategy": "", "limits": limits, "updated_at": datetime.now(UTC)}
        async with transaction(self._engine) as connection:
            statement = insert(LimitsRow).values(**values).on_conflict_do_nothing().returning(LimitsRow.account)
            return (await connection.execute(statement)).first() is not None


def _instrument(row: Any) -> Instrument:
    values = {name: row[name] for name in Instrument.__struct_fields__ if name != "group"}
    return Instrument(**{**values, "tick_size": row["tick_size"].normalize()}, group=row["co_location_group"])


def _instrument_values(one: Instrument) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in Instrument.__struct_fields__ if name != "group"}
    return {**values, "key": one.key, "co_location_group": one.group}


def _strategy(row: Any) -> StrategyInstance:
    values = {name: row[name] for name in StrategyInstance.__struct_fields__}
    return StrategyInstance(**{**values, "instruments": tuple(row["instruments"]), "brokers": tuple(row["brokers"])})


def _strategy_values(one: StrategyInstance) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in StrategyInstance.__struct_fields__}
    lists = {"instruments": list(one.instruments), "brokers": list(one.brokers)}
    return {**values, **lists, "updated_at": datetime.now(UTC)}
