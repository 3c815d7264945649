"""A folder of recorded ticks: a file a finished day, and one a minute of the day under way.

    2026-08-20.parquet          the whole day
    2026-08-21/0915-1.parquet   a minute (the number rises when the recorder is restarted within it)
    instruments.json            what the tokens mean

Every file is written under another name first and renamed when it is complete, and carries the Kafka offsets that
come after it: whoever stops at any moment goes on exactly there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from models.messages.ticks import Tick
from recordings.columns import FORMAT, SCHEMA, Row, table_of, ticks_of
from recordings.errors import BadRecording
from trading.market.instruments import Instrument

SUFFIX = ".parquet"
INSTRUMENTS = "instruments.json"
ROWS_PER_GROUP = 20_000
OFFSETS = b"alpha_panda_next_offsets"
VERSION = b"alpha_panda_ticks"
Offsets = dict[int, int]  # by partition of `market.ticks`: the first offset that is not in the file


class TickStore:
    """The recordings of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def days(self) -> list[date]:
        """Days with anything recorded, in order."""
        if not self.folder.is_dir():
            return []
        names = {one.name.removesuffix(SUFFIX) for one in self.folder.iterdir() if not one.name.startswith(".")}
        return sorted(day for day in map(_day, names) if day is not None)

    def files(self, day: date) -> list[Path]:
        """The files of a day, in time order."""
        whole = self.folder / f"{day}{SUFFIX}"
        minutes = self.folder / str(day)
        parts = sorted(minutes.glob(f"[0-9]*{SUFFIX}"), key=_order)
        if not whole.exists():
            return parts
        offsets = read_offsets(whole)
        return [whole, *(one for one in parts if not _is_within(read_offsets(one), offsets))]

    def write_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Store what the tokens mean."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / INSTRUMENTS
        temporary = file.with_name(f".{file.name}.part")
        temporary.write_bytes(msgspec.json.encode(list(instruments)))
        temporary.replace(file)

    def read_instruments(self) -> list[Instrument]:
        """What the tokens mean. Raises BadRecording."""
        file = self.folder / INSTRUMENTS
        try:
            return msgspec.json.decode(file.read_bytes(), type=list[Instrument])
        except (OSError, msgspec.MsgspecError) as error:
            raise BadRecording(file, 0, f"holds no instruments: {error}") from error

    def next_offsets(self) -> Offsets:
        """Where to go on: what comes after the latest file."""
        days = self.days()
        found: Offsets = {}
        for file in self.files(days[-1]) if days else ():
            found |= read_offsets(file)
        return found

    def write_minute(self, day: date, minute: str, rows: Iterable[Row], offsets: Offsets) -> Path:
        """Store a minute (`HHMM`) of a day."""
        folder = self.folder / str(day)
        folder.mkdir(parents=True, exist_ok=True)
        number = 1 + len(list(folder.glob(f"{minute}-*{SUFFIX}")))
        file = folder / f"{minute}-{number}{SUFFIX}"
        _write(file, (table_of(group) for group in _groups(rows)), offsets)
        return file

    def finish(self, day: date) -> None:
        """Put a day's minutes into its one file."""
        files = self.files(day)
        minutes = self.folder / str(day)
        if minutes.is_dir():
            offsets: Offsets = {}
            for file in files:
                offsets |= read_offsets(file)
            _write(self.folder / f"{day}{SUFFIX}", _tables(files), offsets)
            shutil.rmtree(minutes)

    def read(self, day: date) -> Iterator[tuple[int, str, Tick]]:
        """(clock, instrument key, tick) of a day in the order the feed saw them. Raises BadRecording."""
        for file in self.files(day):
            for batch in open_file(file).iter_batches(batch_size=ROWS_PER_GROUP):
                yield from ticks_of(batch)


def open_file(file: Path) -> pq.ParquetFile:
    """A file of ticks. Raises BadRecording for any other."""
    try:
        opened = pq.ParquetFile(file)
    except (OSError, pa.ArrowException) as error:
        raise BadRecording(file, 0, f"is no Parquet file: {error}") from error
    version = (opened.schema_arrow.metadata or {}).get(VERSION, b"").decode()
    if version != FORMAT:
        raise BadRecording(file, 0, f"holds no ticks in format {FORMAT}" + (f" but {version}" if version else ""))
    return opened


def read_offsets(file: Path) -> Offsets:
    """The offsets that come after a file. Raises BadRecording."""
    metadata: Mapping[bytes, bytes] = open_file(file).schema_arrow.metadata or {}
    return {int(partition): offset for partition, offset in json.loads(metadata.get(OFFSETS, b"{}")).items()}


def _is_within(part: Offsets, whole: Offsets) -> bool:
    """True for a minute that is in the day's file already: its removal was interrupted."""
    return all(offset <= whole.get(partition, -1) for partition, offset in part.items())


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _order(file: Path) -> tuple[str, int]:
    minute, _, number = file.stem.partition("-")
    return minute, int(number or 0)


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    for row in rows:
        group.append(row)
        if len(group) == ROWS_PER_GROUP:
            yield group
            group = []
    if group:
        yield group


def _tables(files: Iterable[Path]) -> Iterator[pa.Table]:
    for file in files:
        opened = open_file(file)
        for number in range(opened.num_row_groups):
            yield opened.read_row_group(number)


def _write(file: Path, tables: Iterable[pa.Table], offsets: Offsets) -> None:
    metadata = {VERSION: FORMAT.encode(), OFFSETS: json.dumps(offsets).encode()}
    temporary = file.with_name(f".{file.name}.part")
    schema = SCHEMA.with_metadata(metadata)
    with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table.replace_schema_metadata(metadata).cast(schema))
    temporary.replace(file)
