"""`alpha-panda migrate`: the database schema."""

from __future__ import annotations

from typing import Annotated

import typer

from faust_app.commands.output import run
from faust_app.runtime.settings import settings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def migrate(
        to: Annotated[str | None, typer.Option(help="Revision; default: the newest, or none with --down.")] = None,
        down: Annotated[bool, typer.Option("--down", help="Downgrade. Drops tables and what is in them.")] = False,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a downgrade.")] = False,
    ) -> None:
        """Bring the database to the newest schema; creates the database when it is missing."""
        from faust_app.commands.output import confirm
        from faust_app.runtime import schema

        config = settings()
        target = to or (schema.BASE if down else schema.HEAD)
        if down:
            confirm(f"Downgrade {config.postgres.database} to {target} and lose what is newer?", yes=yes)
        run(schema.migrate(config, target, down=down))
        typer.echo(f"Database {config.postgres.database} is at revision {run(schema.current(config)) or 'none'}")
