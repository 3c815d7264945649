"""Faust's `inspect` command: rows of a worker's tables, read beside the running worker without disturbing it.

faust -A faust_app.workers.portfolio_manager inspect portfolios [KEY] [--json]
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import rocksdict
from faust.cli import AppCommand, argument, option

from tables.catalogue import readable_rows

WIDEST = 160


def read_table(folder: Path, table: str) -> Iterator[tuple[str, bytes]]:
    """Key and value of every row in the table's partitions below a worker's data folder."""
    for path in sorted(folder.glob(f"**/tables/{table}-*.db")):
        options = rocksdict.Options(raw_mode=True)
        database = rocksdict.Rdict(str(path), options=options, access_type=rocksdict.AccessType.read_only())
        try:
            for key, value in database.items():
                if not bytes(key).startswith(b"__faust"):
                    yield bytes(key).decode(), bytes(value)
        finally:
            database.close()


def matching_rows(folder: Path, table: str, key: str | None) -> list[dict[str, Any]]:
    """Readable rows in key order; with `key`, only that one."""
    rows = readable_rows(table, read_table(folder, table))
    return sorted((row for row in rows if key in (None, row["key"])), key=lambda row: str(row["key"]))


def register_inspect(app: Any) -> None:
    """Add the command to a worker's Faust app."""

    @app.command(  # type: ignore[untyped-decorator]
        argument("table"),
        argument("key", required=False),
        option("--json", "as_json", is_flag=True, help="Print JSON instead of a table."),
    )
    async def inspect(self: AppCommand, table: str, key: str | None, as_json: bool) -> None:
        """Print the rows of a table, or the one with KEY, also while the worker runs."""
        known = sorted(app.tables.keys())
        if table not in known:
            names = ", ".join(known) or "none"
            refuse(f"There is no table {table!r} here; tables of this worker: {names}")
        rows = matching_rows(Path(str(app.conf.datadir)), table, key)
        if key is not None and not rows:
            refuse(f"Table {table} has no row {key!r}")
        self.say(json.dumps(rows, default=str, indent=2) if as_json else as_table(rows))


def refuse(sentence: str) -> NoReturn:
    """End with one sentence and exit code 2; Faust would print tracebacks around an exception."""
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()
    os._exit(2)


def as_table(rows: list[dict[str, Any]]) -> str:
    """Rows as aligned text, states cut to a line."""
    if not rows:
        return "No rows"
    width = max(len(str(row["key"])) for row in rows)
    lines = [f"{row['key']:{width}}  {json.dumps(row['state'], default=str)}" for row in rows]
    cut = [line if len(line) <= WIDEST else f"{line[:WIDEST]} ..." for line in lines]
    return "\n".join([f"{'key':{width}}  state", *cut])
