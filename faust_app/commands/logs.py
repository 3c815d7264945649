"""`alpha-panda logs`: what the workers of the local stack have logged, merged by time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from faust_app.commands.log_files import LEVELS, Line, LogFolder
from faust_app.commands.output import parse_duration, run, to_json
from faust_app.runtime.errors import ConfigurationError, TransientError
from faust_app.runtime.log_channels import Channel
from faust_app.runtime.settings import Settings, load_settings
from faust_app.runtime.topics import SHARED
from faust_app.runtime.topology import STAGES

POLL_SECONDS = 0.25
RECENT_SECONDS = 60.0  # where following begins
SEARCHED_SECONDS = 600.0


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def logs(
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is logged from now on.")] = False,
        stage: Annotated[
            str | None, typer.Option(help="Only this stage; also kafka, postgres, redis, sandbox.")
        ] = None,
        broker: Annotated[str | None, typer.Option(help="Only this broker; shared for stages without one.")] = None,
        level: Annotated[str | None, typer.Option(help=f"This level and above: {', '.join(LEVELS)}.")] = None,
        channel: Annotated[str | None, typer.Option(help=f"Only one of {', '.join(Channel)}.")] = None,
        since: Annotated[str | None, typer.Option(help="Only the last 30s, 10m or 1h.")] = None,
        trace: Annotated[
            str | None, typer.Option(help="Only lines about the decision an id of a frame, signal, order, ... is of.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print each line as JSON.")] = False,
    ) -> None:
        """Print what the workers of the local stack have logged, merged by time; times are in IST.

        Without --since everything that is kept is printed, with --follow the last minute.
        """
        config = load_settings()
        begin = _begin(since, follow=follow)
        folders = _folders(config, stage, begin)
        wanted = _wanted(config, folders, broker=broker, level=level, channel=channel, trace=trace)
        try:
            for lines in _rounds(folders, follow=follow):
                _print((one for one in lines if one.at >= begin and wanted(one)), as_json=as_json)
        except KeyboardInterrupt:
            return


def _folders(config: Settings, stage: str | None, since: float) -> list[LogFolder]:
    state = config.stack.state_directory.absolute()
    places = [state / "logs", *([config.log.directory] if config.log.directory else [])]
    found = [LogFolder(place, _chooser(stage), since) for place in places]
    names = {name for folder in found for name in folder.names()}
    if not names:
        raise ConfigurationError(f"No stack has logged anything to {places[0]} yet: start it with `alpha-panda up`")
    if stage is not None and not any(map(_chooser(stage), names)):
        raise ConfigurationError(f"There is no log of a stage {stage!r}; there are {', '.join(sorted(_stages(names)))}")
    return found


def _chooser(stage: str | None) -> Callable[[str], bool]:
    """Which logs are read: those of a stage, or those of all workers."""
    own = {one.name for one in STAGES}
    return lambda name: name.partition(".")[0] in (own if stage is None else {stage})


def _stages(names: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def _begin(since: str | None, *, follow: bool) -> float:
    if since is not None:
        return time.time() - parse_duration(since, "--since")
    return time.time() - RECENT_SECONDS if follow else 0.0


@dataclass(frozen=True)
class Wanted:
    """Which lines are printed."""

    broker: str | None
    levels: frozenset[str] | None
    channel: str | None
    ids: frozenset[str] | None

    def __call__(self, line: Line) -> bool:
        """True for a line to print."""
        fields = line.fields
        return (
            (self.broker is None or fields.get("broker") == self.broker)
            and (self.levels is None or fields.get("level") in self.levels)
            and (self.channel is None or fields.get("channel") == self.channel)
            and (self.ids is None or any(isinstance(one, str) and one in self.ids for one in fields.values()))
        )


def _wanted(
    config: Settings,
    folders: Iterable[LogFolder],
    *,
    broker: str | None,
    level: str | None,
    channel: str | None,
    trace: str | None,
) -> Wanted:
    logged = {name.partition(".")[2] for folder in folders for name in folder.names()} - {""}
    brokers = sorted({*config.brokers, SHARED, *logged})
    for what, given, known in (("broker", broker, brokers), ("level", level, LEVELS), ("channel", channel, Channel)):
        if given is not None and given not in tuple(known):
            raise ConfigurationError(f"There is no {what} {given!r}; one of {', '.join(known)}")
    levels = None if level is None else frozenset(LEVELS[LEVELS.index(level) :])
    ids = None if trace is None else frozenset({trace, *run(_chains(config, trace))})
    return Wanted(broker, levels, channel, ids)


async def _chains(config: Settings, identifier: str) -> set[str]:
    """Ids of the decision an id belongs to; while nobody can tell, lines are searched for the id itself."""
    from faust_app.commands.chain import find_chain

    try:
        return (await find_chain(config, identifier, seconds=SEARCHED_SECONDS)).ids_around(identifier)
    except TransientError as error:
        typer.echo(f"{error}: lines that name the id itself are shown", err=True)
        return set()


def _rounds(folders: list[LogFolder], *, follow: bool) -> Iterator[Iterator[Line]]:
    while True:
        for folder in folders:
            yield folder.read()
        if not follow:
            return
        time.sleep(POLL_SECONDS)


def _print(lines: Iterator[Line], *, as_json: bool) -> None:
    from faust_app.commands.log_view import row

    colour = sys.stdout.isatty()
    for line in lines:
        sys.stdout.write(f"{to_json(line.fields) if as_json else row(line, colour=colour)}\n")
    sys.stdout.flush()
