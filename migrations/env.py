"""Alembic's environment: migrations run on the settings' database, in the namespace's schema."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from faust_app.runtime.database import database_url
from faust_app.runtime.postgres import connect_arguments, schema_name
from faust_app.runtime.settings import Settings, settings
from models.rows import Base


def run(connection: Connection, config: Settings) -> None:
    """Migrate over `connection`, inside one transaction."""
    schema = schema_name(config.namespace)
    connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_online() -> None:
    """Connect and migrate."""
    config = context.config.attributes.get("settings") or settings()
    engine = create_async_engine(
        database_url(config.postgres), connect_args=connect_arguments(config), poolclass=NullPool
    )
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run, config)
    finally:
        await engine.dispose()


asyncio.run(run_online())
