"""`alpha-panda seed`: instruments, strategy instances and limits, so that the pipeline has something to run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faust_app.commands.output import run
from faust_app.runtime.settings import settings

MOST_PROBLEMS = 20


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def seed(
        instruments: Annotated[
            Path | None, typer.Option(help="Instrument dump (CSV, Kite's columns); default: the feed's server.")
        ] = None,
    ) -> None:
        """Load the instrument dump; add default strategies and limits where there are none yet."""
        from faust_app.runtime import seeding

        config = settings()
        done = run(seeding.seed(config, seeding.read_dump(config, instruments)))
        for problem in done.problems[:MOST_PROBLEMS]:
            typer.echo(f"Instrument dump line {problem.line}: {problem.reason}", err=True)
        if len(done.problems) > MOST_PROBLEMS:
            typer.echo(f"... and {len(done.problems) - MOST_PROBLEMS} more refused lines", err=True)
        typer.echo(
            f"{done.instruments} instruments loaded, {len(done.problems)} lines refused; "
            f"strategies added: {', '.join(done.strategies) or 'none'}; "
            f"limits added: {', '.join(done.limits) or 'none'}"
        )
