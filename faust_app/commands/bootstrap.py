"""`alpha-panda bootstrap`: the topics."""

from __future__ import annotations

from typing import Annotated

import typer

from faust_app.commands.output import run
from faust_app.runtime.settings import settings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def bootstrap(
        check: Annotated[bool, typer.Option("--check", help="Only report what is missing or different.")] = False,
    ) -> None:
        """Create every topic, dead-letter topic and changelog; report existing ones that differ."""
        from faust_app.runtime import admin
        from faust_app.runtime.topology import topic_specs

        config = settings()
        done = run(admin.bootstrap(config, topic_specs(config), create=not check))
        for sentence in done.mismatches:
            typer.echo(sentence, err=True)
        typer.echo(f"{len(done.created)} topics created, {len(done.existing)} existed, {len(done.mismatches)} differ")
        if done.mismatches:
            raise typer.Exit(1)
