"""`alpha-panda instruments load|show|problems`: the instruments of the day, and what was noticed while loading them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faust_app.commands.control_events import actor
from faust_app.commands.output import AsJson, run, show, text, to_json
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.settings import Settings, settings
from trading.market.instrument_findings import MEANINGS, Finding, FindingCode, count_by_code
from trading.market.instruments import is_key

if TYPE_CHECKING:
    from faust_app.runtime.instrument_dumps import RawDump
    from faust_app.runtime.instrument_load import Loaded, Progress
    from trading.market.listings import Listing

MOST_SHOWN = 20
BROKER = "zerodha"
FINDING_COLUMNS = ("line", "key", "code", "kind", "reason")
SUMMARY_COLUMNS = ("code", "kind", "count", "meaning")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Instruments: load the day's dump, look at them, see what was wrong with it.", no_args_is_help=True
    )
    app.add_typer(group, name="instruments")

    @group.command()
    def load(
        file: Annotated[Path | None, typer.Argument(help="Kite's dump of the day: CSV, may be gzipped.")] = None,
        broker: Annotated[str | None, typer.Option(help="Download it instead, from zerodha; needs no login.")] = None,
        day: Annotated[str | None, typer.Option("--date", help="Day the file was made; default: today.")] = None,
        force: Annotated[
            bool, typer.Option("--force", help="Also load a dump that is old or lacks most instruments.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Load a dump of instruments, whole or not at all. Running workers take it at their next start.

        A line that cannot be right is refused; a change worth knowing is a notice. With more than 10 % of the lines
        refused, the whole dump is. Instruments that are gone are kept and marked. An exchange of which the dump has
        nothing stays as it is, so NSE.csv and NFO.csv can be loaded one after the other.
        """
        from faust_app.runtime import instrument_load

        config = settings()
        dump = _dump(config, file, broker, day)
        today = _today()
        request = instrument_load.LoadRequest(dump, _date(day) or today, today, actor(), insist=force)
        with _progress() as progress:
            loaded = run(instrument_load.load(config, request, progress))
        _show_loaded(loaded, as_json=as_json)

    @group.command("show")
    def show_one(
        instrument: Annotated[str, typer.Argument(help="EXCHANGE:TRADINGSYMBOL, or a token.")], as_json: AsJson = False
    ) -> None:
        """Everything known of an instrument, also of one that has vanished."""
        found = run(_find(settings(), instrument))
        if as_json:
            typer.echo(to_json([_fields(one) for one in found]))
            return
        rows = ({"field": name, "value": value} for one in found for name, value in _fields(one).items())
        show(rows, ("field", "value"), as_json=False, empty="")

    @group.command()
    def problems(
        code: Annotated[str | None, typer.Option(help="Only these, for example vanished.")] = None,
        as_json: AsJson = False,
    ) -> None:
        """What the last load refused or noticed, line by line."""
        from faust_app.runtime.instrument_load import last_load

        if code is not None and code not in list(FindingCode):
            raise ConfigurationError(f"There is no code {code!r}; codes: {', '.join(FindingCode)}")
        loaded = run(last_load(settings()))
        if loaded is None:
            raise ConfigurationError("No instruments have been loaded yet: see `alpha-panda instruments load --help`")
        rows = [_row(one) for one in loaded.findings if code in (None, one.code)]
        show(rows, FINDING_COLUMNS, as_json=as_json, empty=f"The load of {loaded.day} left nothing to report")
        if loaded.findings_left_out:
            typer.echo(f"{loaded.findings_left_out} more were not kept", err=True)


def show_findings(findings: Sequence[Finding]) -> None:
    """The first findings, refusals before notices, and how many there are of each code; to standard error."""
    ordered = sorted(findings, key=lambda one: not one.is_refusal)
    for one in ordered[:MOST_SHOWN]:
        where = f"line {one.line}: " if one.line else ""
        typer.echo(f"{_kind(one.code)}, {where}{one.reason} [{one.code.value}]", err=True)
    if len(ordered) > MOST_SHOWN:
        rest = f"... and {len(ordered) - MOST_SHOWN} more; `alpha-panda instruments problems` shows them"
        typer.echo(rest, err=True)


def sentence(loaded: Loaded) -> str:
    """What a load did, in one line."""
    same = loaded.accepted - loaded.added - loaded.changed
    return (
        f"{loaded.accepted} instruments loaded ({loaded.added} new, {loaded.changed} changed, {same} as before), "
        f"{loaded.refused} lines refused, {loaded.vanished} no longer listed ({loaded.expired} of them expired), "
        f"{loaded.seconds:.1f} s"
    )


def _show_loaded(loaded: Loaded, *, as_json: bool) -> None:
    import msgspec

    summary = [
        {"code": code.value, "kind": _kind(code), "count": count, "meaning": MEANINGS[code]}
        for code, count in count_by_code(loaded.findings).items()
    ]
    if as_json:
        findings = [_row(one) for one in loaded.findings]
        typer.echo(to_json({**msgspec.to_builtins(loaded), "summary": summary, "findings": findings}))
        return
    show_findings(loaded.findings)
    if summary:
        show(summary, SUMMARY_COLUMNS, as_json=False, empty="")
    typer.echo(f"{sentence(loaded)}; dump of {loaded.day} from {loaded.source}")


def _kind(code: FindingCode) -> str:
    return "refused" if code.is_refusal else "notice"


def _row(one: Finding) -> dict[str, Any]:
    return {"line": one.line or None, "key": one.key, "code": one.code, "kind": _kind(one.code), "reason": one.reason}


def _dump(config: Settings, file: Path | None, broker: str | None, day: str | None) -> RawDump:
    from faust_app.runtime.instrument_dumps import dump_of_file, dump_of_server, has_session

    if (file is None) is (broker is None):
        raise ConfigurationError("Give a file, or --broker zerodha to download the dump")
    if file is not None:
        return dump_of_file(file)
    if broker != BROKER:
        raise ConfigurationError(f"{broker} has no instrument dump; only {BROKER} has")
    if day is not None:
        raise ConfigurationError("--date is the day a file was made; a download is of today")
    if not has_session(config):
        typer.echo("There is no session; the dump is downloaded without one, as Kite allows.", err=True)
    return dump_of_server(config)


def _date(day: str | None) -> date | None:
    try:
        return date.fromisoformat(day) if day else None
    except ValueError as error:
        raise ConfigurationError(f"--date {day!r} is not a date like 2026-11-20") from error


def _today() -> date:
    from trading.market.sessions import IST

    return datetime.now(IST).date()


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on standard error where that is a terminal; nothing elsewhere."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def note(what: str, done: int, total: int) -> None:
            task = tasks.setdefault(what, None)
            if task is None:
                task = tasks[what] = bar.add_task(what, total=total)
            bar.update(task, completed=done, total=total)

        yield note


async def _find(config: Settings, wanted: str) -> list[Listing]:
    from faust_app.runtime.instrument_load import TOKEN, find_listings
    from faust_app.runtime.reference_data import ReferenceData

    if not is_key(wanted) and not TOKEN.fullmatch(wanted):
        raise ConfigurationError(f"{wanted!r} is neither EXCHANGE:TRADINGSYMBOL nor a token")
    found = await find_listings(config, wanted)
    if not found:
        keys = [one.key for one in await ReferenceData(config).load_instruments()]
        near = difflib.get_close_matches(wanted, keys, n=3)
        hint = f"did you mean {' or '.join(near)}" if near else "load the day's dump with `instruments load`"
        raise ConfigurationError(f"There is no instrument {wanted}; {hint}")
    return found


def _fields(listing: Listing) -> dict[str, Any]:
    one = listing.instrument
    names = [name for name in type(one).__struct_fields__ if name != "group"]
    money = {name: text(getattr(one, name)) for name in ("tick_size", "strike")}
    return {
        "key": one.key,
        **{name: getattr(one, name) for name in names},
        **money,
        "underlying": one.underlying or None,
        "co_location_group": one.co_location_group,
        "is_tradable": one.is_tradable,
        "listed_on": listing.listed_on,
        "vanished_on": listing.vanished_on,
    }
