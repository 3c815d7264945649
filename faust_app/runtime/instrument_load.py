"""Loads a dump of instruments into PostgreSQL: one transaction, the same result however often it is repeated.

What the dump makes of the instruments is decided by `trading.market.listings`; every load leaves a row in the audit
trail with its findings. A load that is refused leaves nothing.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from pydantic import BaseModel, ConfigDict, ValidationError

from faust_app.runtime.codec import new_id
from faust_app.runtime.errors import ConfigurationError, one_sentence
from faust_app.runtime.instrument_dumps import RawDump
from faust_app.runtime.postgres import connection
from faust_app.runtime.reference_data import instrument_of
from faust_app.runtime.settings import PROJECT, Settings, read_layer
from trading.market.freeze_quantities import FreezeQuantities, freeze_quantities_on
from trading.market.instrument_dump import Dump, parse_dump
from trading.market.instrument_findings import Finding
from trading.market.instruments import Instrument
from trading.market.listings import Listing, Update, doubts, objection, update

FREEZE_QUANTITIES = PROJECT / "config" / "freeze_quantities.yaml"
AUDIT_TYPE = "instruments.loaded"
AUDIT_TOPIC = "instruments"  # of no topic: the command writes the row itself
MOST_AUDITED = 5000
NOT_MIGRATED = (asyncpg.InvalidCatalogNameError, asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)
COLUMNS = (
    *(name for name in Instrument.__struct_fields__ if name != "group"),
    "co_location_group",
    "key",
    "listed_on",
    "vanished_on",
)
INSERT_AUDIT = """
insert into audit (event_id, type, version, broker, key, source, topic, partition, "offset",
                   correlation_id, trace_id, occurred_at, recorded_at, data)
values ($1, $2, 1, 'shared', 'instruments', 'operator', $3, -1, -1, $1, $1, $4, $4, $5)
"""
LAST_LOAD = "select data from audit where topic = $1 order by occurred_at desc limit 1"

FIND_BY_KEY = "select * from instruments where key = $1"
FIND_BY_TOKEN = "select * from instruments where instrument_token = $1 order by vanished_on desc nulls first"  # noqa: S105
TOKEN = re.compile(r"[0-9]{1,10}")

Progress = Callable[[str, int, int], None]  # what, how much of it is done, of how much


class LoadRequest(msgspec.Struct, frozen=True):
    """Who loads which dump as that of which day. `insist`: also one that is old or lacks most instruments."""

    dump: RawDump
    day: date
    today: date
    actor: str
    insist: bool = False


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What a load did. `accepted` lines and those refused are all `lines` of the dump."""

    source: str
    sha256: str
    actor: str
    day: date
    lines: int
    accepted: int
    refused: int
    added: int
    changed: int
    vanished: int
    expired: int
    written: int
    seconds: float
    findings: tuple[Finding, ...]
    findings_left_out: int = 0


async def load(settings: Settings, request: LoadRequest, progress: Progress = lambda *_: None) -> Loaded:
    """Load a dump. Raises ConfigurationError when it is refused whole, TransientError while PostgreSQL is away."""
    started = time.monotonic()
    freeze = freeze_quantities_on(request.day, read_freeze_quantities(FREEZE_QUANTITIES))
    lines = request.dump.text.count("\n")
    dump = parse_dump(request.dump.text, request.day, lambda done: progress("Reading", done, lines))
    refusal = objection(dump)
    if refusal is not None:
        raise ConfigurationError(f"{request.dump.source} is refused whole: {refusal}; nothing was changed")
    async with _database(settings) as opened, opened.transaction():
        await opened.execute("lock table instruments in share row exclusive mode")  # one load at a time
        stored = await _stored(opened)
        progress("Comparing", 0, 1)
        made = update(stored, dump, freeze)
        noticed = _insisted(request, doubts(stored, dump, request.today, made))
        progress("Writing", 0, len(made.written))
        await _write(opened, made)
        loaded = _loaded(request, dump, made, noticed, time.monotonic() - started)
        await _audit(opened, loaded)
        progress("Writing", len(made.written), len(made.written))
    return loaded


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Any]:
    try:
        async with connection(settings) as opened:
            yield opened
    except NOT_MIGRATED as error:
        raise ConfigurationError("The database is not of this release: run `alpha-panda migrate` first") from error


def _insisted(request: LoadRequest, doubtful: list[Finding]) -> list[Finding]:
    if doubtful and not request.insist:
        reasons = "; ".join(one.reason for one in doubtful)
        raise ConfigurationError(
            f"{request.dump.source} is refused whole: {reasons}; nothing was changed. "
            "To load it all the same, use `alpha-panda instruments load --force`"
        )
    return doubtful


async def _stored(opened: Any) -> dict[str, Listing]:
    rows = await opened.fetch("select * from instruments")
    return {row["key"]: Listing(instrument_of(row), row["listed_on"], row["vanished_on"]) for row in rows}


async def _write(opened: Any, made: Update) -> None:
    """Rows that differ are replaced: deleted first, for tokens may have changed hands."""
    keys = [one.instrument.key for one in made.written]
    await opened.execute("delete from instruments where key = any($1::text[])", keys)
    await opened.copy_records_to_table("instruments", records=map(_record, made.written), columns=COLUMNS)


def _record(one: Listing) -> tuple[Any, ...]:
    instrument = one.instrument
    values = (getattr(instrument, name) for name in COLUMNS[:-4])
    return (*values, instrument.group, instrument.key, one.listed_on, one.vanished_on)


def _loaded(request: LoadRequest, dump: Dump, made: Update, noticed: list[Finding], seconds: float) -> Loaded:
    return Loaded(
        source=request.dump.source,
        sha256=request.dump.sha256,
        actor=request.actor,
        day=dump.day,
        lines=dump.lines,
        accepted=len(dump.instruments),
        refused=len(dump.findings),
        added=made.added,
        changed=made.changed,
        vanished=made.vanished,
        expired=made.expired,
        written=len(made.written),
        seconds=round(seconds, 3),
        findings=(*made.findings, *noticed),
    )


async def _audit(opened: Any, loaded: Loaded) -> None:
    kept = msgspec.structs.replace(
        loaded,
        findings=loaded.findings[:MOST_AUDITED],
        findings_left_out=max(0, len(loaded.findings) - MOST_AUDITED),
    )
    data = msgspec.json.encode(kept).decode()
    await opened.execute(INSERT_AUDIT, new_id(), AUDIT_TYPE, AUDIT_TOPIC, datetime.now(UTC), data)


async def last_load(settings: Settings) -> Loaded | None:
    """What the newest load did; None before the first."""
    async with _database(settings) as opened:
        row = await opened.fetchval(LAST_LOAD, AUDIT_TOPIC)
    return None if row is None else msgspec.json.decode(row, type=Loaded)


async def find_listings(settings: Settings, wanted: str) -> list[Listing]:
    """What is known of a key or a token: the listed one first, then those that vanished, the newest first."""
    by_token = TOKEN.fullmatch(wanted) is not None
    async with _database(settings) as opened:
        rows = await opened.fetch(FIND_BY_TOKEN if by_token else FIND_BY_KEY, int(wanted) if by_token else wanted)
    return [Listing(instrument_of(row), row["listed_on"], row["vanished_on"]) for row in rows]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    periods: list[FreezeQuantities]


def read_freeze_quantities(file: Path) -> list[FreezeQuantities]:
    """The dated freeze quantities. Raises ConfigurationError that names what is wrong."""
    content: Mapping[str, Any] = read_layer(file) or {"periods": []}
    try:
        return _File.model_validate(content).periods
    except ValidationError as error:
        raise ConfigurationError(f"{file} is refused: {one_sentence(error)}") from error
