"""Migrations as functions: create the database, bring its schema to a revision, say which one it has."""

from __future__ import annotations

import asyncio

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from faust_app.runtime.database import create_engine, transaction, transient
from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.postgres import OWN_SCHEMA, connection, schema_name
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
    name = settings.postgres.database
    try:
        async with connection(settings, database=MAINTENANCE_DATABASE) as opened:
            if not await opened.fetchval("select 1 from pg_database where datname = $1", name):
                await opened.execute(f'create database "{name}"')
    except asyncpg.DuplicateDatabaseError:
        return
    except TransientError as error:
        raise TransientError(f"PostgreSQL does not answer at {_where(settings)}") from error
    except asyncpg.PostgresError as error:
        user = settings.postgres.user
        raise ConfigurationError(f"PostgreSQL at {_where(settings)} refused user {user}: {error}") from error


def _where(settings: Settings) -> str:
    return f"{settings.postgres.host}:{settings.postgres.port}"


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
