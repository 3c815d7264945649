"""`alpha-panda trace`: the chain of events an id belongs to, from the tick's frame to the snapshot, with its times."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from faust_app.commands.output import AsJson, exact_time, parse_duration, run, show
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.settings import settings

COLUMNS = ("at", "hop", "total", "broker", "type", "source", "found_in", "summary", "event_id")
WITHIN = "10m"
Within = Annotated[str, typer.Option(help="How far back the topics are searched: 30s, 10m or 1h.")]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def trace(
        identifier: Annotated[str, typer.Argument(help="Id of a frame, signal, order, fill, snapshot or any event.")],
        within: Within = WITHIN,
        as_json: AsJson = False,
    ) -> None:
        """Print every event that led to an id or follows from it, in causal order, with the time each step took.

        `at` is when Kafka got the event, of the frame when it was received; `hop` is the time since its cause, `total`
        the time since the frame. Events come from the audit trail (ledger) and, as long as that does not have them,
        from the topics; what is known of the frame is what its signal says.
        """
        from faust_app.commands.chain import find_chain

        found = run(find_chain(settings(), identifier, seconds=parse_duration(within, "--within")))
        for problem in found.problems:
            typer.echo(f"{problem}: what only that knows is missing", err=True)
        rows = [{**row, "summary": summary(row)} for row in found.related(identifier)]
        if not rows:
            raise ConfigurationError(f"Nothing is known of {identifier!r}; the topics were searched {within} back")
        show(rows if as_json else map(_readable, rows), COLUMNS, as_json=as_json, empty="")


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    times = {"hop": duration(row["hop_seconds"]), "total": duration(row["total_seconds"])}
    return {**row, **times, "at": exact_time(row["at"])}


def duration(seconds: float | None) -> str | None:
    """Milliseconds below a second, else seconds."""
    if seconds is None:
        return None
    return f"{seconds * 1000:.1f} ms" if abs(seconds) < 1 else f"{seconds:.2f} s"


def summary(row: dict[str, Any]) -> str:
    """One line on what the event says."""
    data = row["data"]
    order = data.get("order", {})
    names = ("code", "outcome", "status", "intent", "quantity", "cumulative_quantity", "price", "equity", "reason")
    parts = [f"{name}={data[name]}" for name in names if data.get(name) not in (None, "")]
    what = order.get("instrument") or data.get("instrument") or data.get("account") or ""
    side = order.get("side") or data.get("side") or ""
    return " ".join(filter(None, (what, side, *parts)))
