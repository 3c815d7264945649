"""`alpha-panda up|reset|doctor|status`: the local stack."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from faust_app.commands.output import AsJson, Yes, confirm, parse_duration, run, show, to_json
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.notice_services import load_services
from faust_app.runtime.settings import load_settings, state_directory

DOCTOR_COLUMNS = ("check", "result", "detail")
STATUS_COLUMNS = ("worker", "ready", "lag", "last_tick_age_seconds", "trading_state", "pnl", "reasons")


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command()
    def up(
        profile: Annotated[str | None, typer.Option(help="Profile; default: ALPHA_PANDA_PROFILE, or base.")] = None,
        duration: Annotated[str | None, typer.Option("--for", help="End by itself after 60s, 10m or 1h.")] = None,
        json_file: Annotated[Path | None, typer.Option("--json", help="Write the summary to this file.")] = None,
        view: Annotated[bool, typer.Option(help="Show the live table when this is a terminal.")] = True,
        observe: Annotated[
            bool, typer.Option("--observe", help="Run Prometheus too, and Alertmanager where it is installed.")
        ] = False,
    ) -> None:
        """Start Kafka, PostgreSQL, Redis, the sandbox exchange and all workers; Ctrl-C stops them and sums up."""
        from stack.exchange import synthetic_market
        from stack.run import Options
        from stack.state import forget_dead_run

        forget_dead_run(state_directory(profile))
        config = load_settings(profile)
        market = None if config.kite.api_key is not None else synthetic_market(config.stack)
        _check_writable(json_file)
        if config.notices.enabled:
            load_services(config.notices)
        options = Options(
            market,
            {},
            seconds=_seconds(duration),
            json_file=json_file,
            show_view=view,
            observe=_programs() if observe else None,
        )
        print_summary(run_stack(config, options))

    @app.command()
    def reset(yes: Yes = False) -> None:
        """Remove everything the local stack keeps: topics, database, tables, logs."""
        from stack.state import is_held, strangers

        state = load_settings().stack.state_directory.absolute()
        if is_held(state):
            raise ConfigurationError(f"A stack runs on {state}: stop it first")
        if not state.exists():
            typer.echo(f"There is nothing at {state}")
            return
        if found := strangers(state):
            raise ConfigurationError(f"{state} also holds what is not the stack's ({', '.join(found)}): move it away")
        confirm(f"Remove {state} with all positions, orders and logs?", yes=yes)
        shutil.rmtree(state)
        typer.echo(f"Removed {state}")

    @app.command()
    def doctor(as_json: AsJson = False) -> None:
        """Check what the local stack needs, and say what to do about what is missing."""
        from stack.doctor import check_all

        rows = check_all(load_settings())
        show(rows, DOCTOR_COLUMNS, as_json=as_json, empty="")
        if any(row["result"] == "fail" for row in rows):
            raise typer.Exit(1)

    @app.command()
    def status(as_json: AsJson = False) -> None:
        """Readiness of every worker of the running stack, why one is not ready, and what its metrics say.

        `lag` is messages that wait for it, as the monitor sees them; `pnl` is since the account began, after charges.
        """
        from stack.state import is_held
        from stack.status import read_status

        state = load_settings().stack.state_directory.absolute()
        if not is_held(state):
            raise ConfigurationError(f"No stack runs on {state}: start it with `alpha-panda up`")
        rows = run(read_status(state))
        show(rows, STATUS_COLUMNS, as_json=as_json, empty="The stack is starting: there are no workers yet")


def _programs() -> Any:
    """Prometheus on this machine; ConfigurationError when it is not there, before anything has been started."""
    from stack.errors import CannotStart
    from stack.prometheus import find_programs

    try:
        return find_programs()
    except CannotStart as error:
        raise ConfigurationError(str(error)) from error


def run_stack(config: Any, options: Any) -> dict[str, Any]:
    """Run the stack to its end; failures as this command line's errors."""
    from stack.errors import CannotStart, StackFailure
    from stack.run import up as run_up

    try:
        return run(run_up(config, options, typer.echo))
    except CannotStart as error:
        raise ConfigurationError(str(error)) from error
    except StackFailure as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def print_summary(summary: dict[str, Any]) -> None:
    """One line per figure."""
    for name, value in summary.items():
        shown = to_json(value) if isinstance(value, dict) else value
        typer.echo(f"{name.replace('_', ' '):24}{shown}")


def _seconds(text: str | None) -> float | None:
    return None if text is None else parse_duration(text)


def _check_writable(file: Path | None) -> None:
    if file is not None and (not file.absolute().parent.is_dir() or file.is_dir()):
        raise ConfigurationError(f"The summary cannot be written to {file}: not a file in an existing folder")
