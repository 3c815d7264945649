"""Lines of logs for people: one row each, in columns."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import typer

from faust_app.commands.log_files import Line
from faust_app.commands.output import exact_time

COLOURS = {"debug": "bright_black", "warning": "yellow", "error": "red", "critical": "bright_red"}
IN_COLUMNS = {"ts", "level", "channel", "stage", "broker", "worker", "logger", "event", "correlation_id", "exception"}
WIDTHS = {"level": 8, "channel": 14, "worker": 25}


def row(line: Line, *, colour: bool) -> str:
    """Time in IST, level, channel, worker, event, fields, the chain's id; a traceback below."""
    fields = line.fields
    at = exact_time(datetime.fromtimestamp(line.at, UTC)) or ""
    columns = [str(fields.get(name, "")).ljust(width) for name, width in WIDTHS.items()]
    more = [f"{name}={_value(value)}" for name, value in fields.items() if name not in IN_COLUMNS]
    if fields.get("correlation_id"):
        more.append(f"correlation_id={fields['correlation_id']}")
    event = str(fields["event"])
    if colour:
        hue = COLOURS.get(str(fields.get("level")))
        columns[0] = typer.style(columns[0], fg=hue)
        event = typer.style(event, fg=hue, bold=True)
        more = [typer.style(" ".join(more), dim=True)] if more else []
    text = " ".join((at, *columns, event, *more))
    trace = str(fields.get("exception") or "").rstrip()
    return f"{text}\n{_indented(trace)}" if trace else text


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if isinstance(value, str) and (" " in text or not text) else text


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
