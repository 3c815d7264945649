"""PostgreSQL without SQLAlchemy: how to connect, what counts as "away".

Workers that only read reference data once use this; SQLAlchemy costs 20 MB a process. A replay's tables live in a
schema of their own, found through the connection's `search_path`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from faust_app.runtime import metrics
from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.settings import Settings

log = structlog.get_logger(__name__)
CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 30.0
SLOW_SECONDS = 0.5
MOST_SHOWN = 300  # characters of a slow statement
AWAY_STATES = ("08", "53", "57P", "40")  # connection, resources, shutdown, rolled back: try again
OWN_SCHEMA = "public"


def schema_name(namespace: str) -> str:
    """Schema of a namespace: `public` for the pipeline itself, `replay_1` for `replay-1.`."""
    return namespace.rstrip(".").replace("-", "_") or OWN_SCHEMA


def connect_arguments(settings: Settings) -> dict[str, Any]:
    """Arguments of `asyncpg.connect` that are not part of an address."""
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


def note_connection() -> None:
    """Count a new one."""
    metrics.CLIENT_STARTS.labels("postgresql").inc()


def note_query(seconds: float, query: str) -> None:
    """Time a statement; the log has what is slow, without arguments."""
    metrics.QUERY_SECONDS.observe(seconds)
    if seconds >= SLOW_SECONDS:
        metrics.SLOW_QUERIES.inc()
        log.warning("slow_query", seconds=round(seconds, 3), query=query[:MOST_SHOWN])


def is_away(error: BaseException) -> bool:
    """True for an error of the connection or the server; False when the statement itself is wrong."""
    if isinstance(error, (OSError, TimeoutError)):
        return True
    if not type(error).__module__.startswith("asyncpg"):
        return False
    return (getattr(error, "sqlstate", None) or AWAY_STATES[0]).startswith(AWAY_STATES)


@asynccontextmanager
async def connection(settings: Settings, *, database: str | None = None) -> AsyncIterator[Any]:
    """One connection for a few statements. Raises TransientError when PostgreSQL is away."""
    config = settings.postgres
    arguments = {"host": config.host, "port": config.port, **connect_arguments(settings)}
    try:
        opened = await asyncpg.connect(user=config.user, database=database or config.database, **arguments)
        try:
            note_connection()
            opened.add_query_logger(lambda one: note_query(one.elapsed, one.query))
            yield opened
        finally:
            await opened.close(timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        if is_away(error):
            raise TransientError(f"PostgreSQL is away ({type(error).__name__})") from error
        raise
