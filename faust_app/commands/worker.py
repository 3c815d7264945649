"""`alpha-panda worker`: run one stage."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.settings import BROKER_VARIABLE, PORT_VARIABLE
from faust_app.workers import PER_BROKER, STAGES


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def worker(
        stage: Annotated[str, typer.Argument(help=f"One of {', '.join(STAGES)}.")],
        broker: Annotated[str | None, typer.Option(help="Broker, for the stages that run once per broker.")] = None,
        web_port: Annotated[int | None, typer.Option(help="Port of /metrics, /livez and /readyz.")] = None,
    ) -> None:
        """Run one stage of the pipeline until it is stopped with Ctrl-C or SIGTERM."""
        _check(stage, broker)
        if broker is not None:
            os.environ[BROKER_VARIABLE] = broker
        if web_port is not None:
            os.environ[PORT_VARIABLE] = str(web_port)
        run_faust(stage, ["--quiet", "worker", "--without-web", "-l", "warn"])


def _check(stage: str, broker: str | None) -> None:
    if stage not in STAGES:
        raise ConfigurationError(f"There is no stage {stage!r}; the stages are {', '.join(STAGES)}")
    if stage in PER_BROKER and not (broker or os.environ.get(BROKER_VARIABLE)):
        raise ConfigurationError(f"Stage {stage} runs once per broker: say which with --broker")
    if stage not in PER_BROKER and broker is not None:
        raise ConfigurationError(f"Stage {stage} serves all brokers: leave --broker out")


def run_faust(stage: str, arguments: list[str]) -> None:
    """Hand over to Faust's own command line."""
    from faust.cli.faust import cli

    cli(["-A", f"faust_app.workers.{stage}", "-L", "uvloop", *arguments], standalone_mode=True)
