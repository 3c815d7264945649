"""How commands speak: tables for people, JSON for programs, one sentence for a problem."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Coroutine, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import typer

from faust_app.runtime.errors import ConfigurationError

Result = TypeVar("Result")
DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)?")
UNITS = {"s": 1, "m": 60, "h": 3600, None: 1}
WIDE = 260  # columns where the output is not a terminal
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's coroutine to its end."""
    return asyncio.run(work)


def text(value: Any) -> str:
    """A cell: money without trailing zeros, times in IST, lists joined."""
    if value is None:
        return "-"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    if isinstance(value, datetime):
        from trading.market.sessions import IST

        return value.astimezone(IST).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, (list, tuple)):
        return ", ".join(map(text, value))
    return str(value)


def exact_time(at: datetime | None) -> str | None:
    """Day and time in IST, with milliseconds."""
    from trading.market.sessions import IST

    return None if at is None else at.astimezone(IST).strftime("%m-%d %H:%M:%S.%f")[:-3]


def to_json(value: Any) -> str:
    """JSON text; decimals are strings, times ISO 8601."""
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def show(rows: Iterable[dict[str, Any]], columns: Sequence[str], *, as_json: bool, empty: str) -> None:
    """Print rows as a table, or as a JSON array with every field."""
    rows = list(rows)
    if as_json:
        typer.echo(to_json(rows))
        return
    if not rows:
        typer.echo(empty)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*(column.replace("_", " ") for column in columns))
    for row in rows:
        table.add_row(*(text(row.get(column)) for column in columns))
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    console.print(table)


def parse_duration(text: str, option: str = "--for") -> float:
    """Seconds of an option that is a duration. Raises ConfigurationError."""
    found = DURATION.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0:
        raise ConfigurationError(f"{option} {text!r} is not a duration like 60s, 10m or 1h")
    return float(found[1]) * UNITS[found[2]]


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be undone; ends the command when the answer is no."""
    if not yes and not typer.confirm(question):
        raise typer.Exit(1)
