"""`alpha-panda replay`: a recording through the sandbox, the feed and the whole pipeline, in a namespace of its own."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Annotated, Any

import typer

from faust_app.commands import arguments
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.settings import Settings, load_settings

COMMIT_SECONDS = 0.02
LONGEST_AGE = 86_400


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def replay(
        path: Annotated[Path, typer.Argument(help="Recorded minute bars or one-second prices: a file or a folder.")],
        session_date: Annotated[str | None, typer.Option(help="YYYY-MM-DD; default: the first recorded day.")] = None,
        symbols: Annotated[int | None, typer.Option(min=1, max=3000, help="At most so many symbols.")] = None,
        speed: Annotated[float, typer.Option(min=0.01, max=1000, help="Market seconds a second, at most.")] = 1000.0,
        until: Annotated[str | None, typer.Option(help="Exchange time to end at, HH:MM; default: the end.")] = None,
        profile: Annotated[str | None, typer.Option(help="Profile; default: ALPHA_PANDA_PROFILE, or base.")] = None,
        json_file: Annotated[Path | None, typer.Option("--json", help="Write the summary to this file.")] = None,
        keep: Annotated[bool, typer.Option("--keep", help="Keep the replay's topics, schema and tables.")] = False,
        view: Annotated[bool, typer.Option(help="Show the live table when this is a terminal.")] = True,
    ) -> None:
        """Replay a recorded session; ends with it. Two replays give the same signals, orders, fills and money.

        The market never runs ahead of the pipeline: the next second comes when the last one has been handled.
        """
        from faust_app.commands.local import print_summary, run_stack
        from recordings.errors import BadRecording
        from recordings.markets import check_path
        from stack.exchange import MarketChoice
        from stack.run import Options

        try:
            check_path(path)
        except BadRecording as error:
            raise ConfigurationError(str(error)) from error
        day = arguments.day(session_date, "--session-date")
        config = load_settings(profile)
        market = MarketChoice(day, 0, symbols, speed, replay=path.absolute(), until=until)
        extra = namespace_layer(config, f"{path.name}|{day}|{symbols}")
        options = Options(market, extra, until_finished=True, keep=keep, json_file=json_file, show_view=view)
        print_summary(run_stack(config, options))


def namespace_layer(config: Settings, recording: str) -> dict[str, Any]:
    """Settings of a replay: names of its own; a run id that is the recording's, so that ids repeat too."""
    name = f"replay-{secrets.token_hex(4)}"
    tables = config.stack.state_directory.absolute() / "tables" / name
    return {
        "namespace": f"{name}.",
        "feed": {"run_id": f"replay-{hashlib.sha256(recording.encode()).hexdigest()[:16]}"},
        "delivery": {"commit_seconds": COMMIT_SECONDS},
        "worker": {"data_directory": str(tables)},
    }
