"""`alpha-panda seed`: instruments and strategy instances, so that the pipeline has something to run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faust_app.commands.instruments import sentence, show_findings
from faust_app.commands.output import run
from faust_app.runtime.settings import settings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def seed(
        instruments: Annotated[
            Path | None, typer.Option(help="Instrument dump (CSV, Kite's columns); default: the feed's server.")
        ] = None,
    ) -> None:
        """Load the instrument dump; add default strategies where there are none yet."""
        from faust_app.runtime import seeding

        config = settings()
        done = run(seeding.seed(config, seeding.read_dump(config, instruments)))
        show_findings(done.instruments.findings)
        typer.echo(f"{sentence(done.instruments)}; strategies added: {', '.join(done.strategies) or 'none'}")
