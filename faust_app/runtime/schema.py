"""Migrations as functions: create the database, bring its schema to a revision, say which one it has."""

from __future__ import annotations

import asyncio

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from faust_app.runtime.database import OWN_SCHEMA, connect_arguments, create_engine, schema_name, transaction, transient
from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.settings import PROJECT, Settings

HEAD = "head"
BASE = "base"
MAINTENANCE_DATABASE = "postgres"


def configuration(settings: Settings) -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(PROJECT / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["settings"] = settings
    return config


def revisions(settings: Settings) -> list[str]:
    """Known revisions, oldest first."""
    script = ScriptDirectory.from_config(configuration(settings))
    return [one.revision for one in reversed(list(script.walk_revisions()))]


async def migrate(settings: Settings, to: str = HEAD, *, down: bool = False) -> None:
    """Upgrade (or downgrade) to revision `to`; creates the database when it is missing."""
    if to not in (HEAD, BASE, *revisions(settings)):
        raise ConfigurationError(f"There is no revision {to!r}; known: {', '.join(revisions(settings))}")
    await create_database(settings)
    step = command.downgrade if down else command.upgrade
    try:
        await asyncio.to_thread(step, configuration(settings), to)
    except Exception as error:
        if transient(error):
            raise TransientError("PostgreSQL is away") from error
        raise


async def create_database(settings: Settings) -> None:
    """Create the configured database when it does not exist."""
    arguments = {**connect_arguments(settings)}
    arguments.setdefault("host", settings.postgres.host)
    arguments.setdefault("port", settings.postgres.port)
    try:
        connection = await asyncpg.connect(user=settings.postgres.user, database=MAINTENANCE_DATABASE, **arguments)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise _refused(settings, error) from error
    try:
        name = settings.postgres.database
        if not await connection.fetchval("select 1 from pg_database where datname = $1", name):
            await connection.execute(f'create database "{name}"')
    except asyncpg.DuplicateDatabaseError:
        return
    finally:
        await connection.close()


def _refused(settings: Settings, error: Exception) -> Exception:
    where = f"{settings.postgres.host}:{settings.postgres.port}"
    if transient(error):
        return TransientError(f"PostgreSQL does not answer at {where}")
    return ConfigurationError(f"PostgreSQL at {where} refused user {settings.postgres.user}: {error}")


async def remove(settings: Settings) -> None:
    """Drop a namespace's schema and everything in it. The pipeline's own schema is never dropped."""
    name = schema_name(settings.namespace)
    if name == OWN_SCHEMA:
        raise ConfigurationError("The pipeline's own schema is not a namespace's")
    engine = create_engine(settings, pool_size=1)
    try:
        async with transaction(engine) as connection:
            await connection.execute(text(f'DROP SCHEMA IF EXISTS "{name}" CASCADE'))
    finally:
        await engine.dispose()


async def current(settings: Settings) -> str | None:
    """The database's revision; None when it has no schema yet."""
    engine = create_engine(settings, pool_size=1)
    try:
        async with transaction(engine) as connection:
            return await connection.run_sync(_current)
    finally:
        await engine.dispose()


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
