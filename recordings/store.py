"""A folder of recorded ticks: a file a finished day, and one a minute of the day under way.

    2026-08-20.parquet          the whole day
    2026-08-21/0915-1.parquet   a minute (the number rises when the recorder is restarted within it)
    instruments.json            what the tokens mean

Every file is written under another name first and renamed when it is complete, and carries the Kafka offsets at which
to go on after it: whoever stops at any moment goes on exactly there. A day's file names the minutes it is made of, so a
day that was put together when their removal was interrupted holds nothing twice.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import replace

from models.messages.ticks import Tick
from recordings.columns import FORMAT, SCHEMA, Row, table_of, ticks_of
from recordings.errors import BadRecording
from trading.market.instruments import Instrument

SUFFIX = ".parquet"
INSTRUMENTS = "instruments.json"
ROWS_PER_GROUP = 20_000
ROWS_AT_ONCE = 2_000
VERSION = b"alpha_panda_ticks"
ABOUT = b"alpha_panda_about"
Offsets = dict[int, int]  # by partition of `market.ticks`: the first offset to read
Clocks = dict[int, int]  # by partition: the event second of its last frame


class About(msgspec.Struct, frozen=True):
    """What a file says of itself.

    How many were written before, where to go on after it, how far its day had come, the minutes it is made of.
    """

    number: int = 0
    offsets: Offsets = {}
    clocks: Clocks = {}
    minutes: tuple[str, ...] = ()


class TickStore:
    """The recordings of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._written: int | None = None  # files, as far as they are counted

    def days(self) -> list[date]:
        """Days with anything recorded, in order."""
        if not self.folder.is_dir():
            return []
        names = (one.name.removesuffix(SUFFIX) for one in self.folder.iterdir())
        days = {day for day in map(_day, names) if day is not None}
        return sorted(day for day in days if self._of_day(day).exists() or self._minutes(day))

    def unfinished(self) -> list[date]:
        """Days that are still in minutes, or whose minutes are still there."""
        return [day for day in self.days() if (self.folder / str(day)).is_dir()]

    def files(self, day: date) -> list[Path]:
        """The files of a day, in time order."""
        whole, minutes = self._of_day(day), self._minutes(day)
        if not whole.exists():
            return minutes
        known = set(about(whole).minutes)
        return [whole, *(one for one in minutes if one.stem not in known)]

    def _of_day(self, day: date) -> Path:
        return self.folder / f"{day}{SUFFIX}"

    def _minutes(self, day: date) -> list[Path]:
        return sorted((self.folder / str(day)).glob(f"[0-9]*{SUFFIX}"), key=_order)

    def write_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Store what the tokens mean. Raises BadRecording."""
        with _whole(self.folder / INSTRUMENTS) as temporary:
            temporary.write_bytes(msgspec.json.encode(list(instruments)))

    def read_instruments(self) -> list[Instrument]:
        """What the tokens mean. Raises BadRecording."""
        file = self.folder / INSTRUMENTS
        try:
            return msgspec.json.decode(file.read_bytes(), type=list[Instrument])
        except (OSError, msgspec.MsgspecError) as error:
            raise BadRecording(file, 0, f"holds no instruments: {error}") from error

    def next_offsets(self) -> Offsets:
        """Where to go on: what the file says that was written last."""
        return dict(self._latest().offsets)

    def _latest(self) -> About:
        """Of the file that was written last."""
        return max(map(self._last, self.days()), key=lambda one: one.number, default=About())

    def _last(self, day: date) -> About:
        """Of the file of a day that was written last."""
        return max(map(about, self.files(day)), key=lambda one: one.number, default=About())

    def clocks(self, day: date) -> Clocks:
        """How far a day is recorded."""
        return dict(self._last(day).clocks)

    def write_minute(self, day: date, minute: str, rows: Iterable[Row], offsets: Offsets, clocks: Clocks) -> Path:
        """Store a minute (`HHMM`) of a day; go on at `offsets` after it, the day has come to `clocks`.

        Raises BadRecording.
        """
        if self._written is None:
            self._written = self._latest().number
        name = f"{minute}-{1 + sum(name.startswith(f'{minute}-') for name in self._names(day))}"
        file = self.folder / str(day) / f"{name}{SUFFIX}"
        _write(file, _groups(rows), About(self._written + 1, offsets, clocks, (name,)))
        self._written += 1
        return file

    def _names(self, day: date) -> set[str]:
        whole = self._of_day(day)
        return {one.stem for one in self._minutes(day)}.union(about(whole).minutes if whole.exists() else ())

    def finish(self, day: date) -> None:
        """Put a day's minutes into its one file. Raises BadRecording."""
        files = self.files(day)
        if any(file.parent != self.folder for file in files):
            minutes = tuple(name for file in files for name in about(file).minutes)
            _write(self._of_day(day), _tables(files), replace(self._last(day), minutes=minutes))
        shutil.rmtree(self.folder / str(day), ignore_errors=True)

    def read(self, day: date) -> Iterator[tuple[int, str, Tick]]:
        """(clock, instrument key, tick) of a day in the order the feed saw them. Raises BadRecording."""
        for file in self.files(day):
            for batch in open_file(file).iter_batches(batch_size=ROWS_AT_ONCE):
                yield from ticks_of(batch)

    def tokens(self) -> set[int]:
        """Instrument tokens of everything recorded. Raises BadRecording."""
        found: set[int] = set()
        for file in (file for day in self.days() for file in self.files(day)):
            for batch in open_file(file).iter_batches(columns=["instrument_token"]):
                found.update(batch.column(0).unique().to_pylist())
        return found


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


def about(file: Path) -> About:
    """What a file says of itself. Raises BadRecording."""
    return msgspec.json.decode(open_file(file).schema_arrow.metadata[ABOUT], type=About)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if str(day) == text else None


def _order(file: Path) -> tuple[str, int]:
    minute, _, number = file.stem.partition("-")
    return minute, int(number or 0)


def _groups(rows: Iterable[Row]) -> Iterator[pa.Table]:
    group: list[Row] = []
    for row in rows:
        group.append(row)
        if len(group) == ROWS_PER_GROUP:
            yield table_of(group)
            group = []
    if group:
        yield table_of(group)


def _tables(files: Iterable[Path]) -> Iterator[pa.Table]:
    """What is in the files, small pieces put together."""
    pieces: list[pa.Table] = []
    for file in files:
        opened = open_file(file)
        for number in range(opened.num_row_groups):
            pieces.append(opened.read_row_group(number))
            if sum(piece.num_rows for piece in pieces) >= ROWS_PER_GROUP:
                yield pa.concat_tables(pieces).unify_dictionaries()
                pieces = []
    if pieces:
        yield pa.concat_tables(pieces).unify_dictionaries()


def _write(file: Path, tables: Iterable[pa.Table], description: About) -> None:
    metadata = {VERSION: FORMAT.encode(), ABOUT: msgspec.json.encode(description)}
    schema = SCHEMA.with_metadata(metadata)
    with _whole(file) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table.replace_schema_metadata(metadata).cast(schema))


@contextmanager
def _whole(file: Path) -> Iterator[Path]:
    """Another name to write a file under; it gets its own once it is complete. Raises BadRecording."""
    temporary = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(file)
    except OSError as error:
        raise BadRecording(file, 0, f"cannot be written: {error.strerror or error}") from error
