"""Ticks as Parquet columns: one row a tick, integers as on the wire, five levels a side in columns of their own.

Prices are in 1/10,000 rupee, times in epoch seconds, `received_ns` in nanoseconds. `clock` is the frame's: the order of
rows is the order in which the feed saw them. A level that a tick does not have is null; a padded one has price 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from models.messages.ticks import Level, Mode, Tick, TickFrame

FORMAT = "1"
LEVELS = 5
ABSENT = (None, None, None)
FRAME_COLUMNS = ("clock", "received_ns", "partition", "run_id")
PLAIN = tuple(name for name in Tick.__struct_fields__ if name not in ("buy", "sell"))
DEPTH = tuple(
    f"{side}_{what}_{number}"
    for side in ("buy", "sell")
    for number in range(1, LEVELS + 1)
    for what in Level.__struct_fields__
)
KEY = "instrument"
TYPES = {"run_id": pa.dictionary(pa.int32(), pa.string()), "tradable": pa.bool_(), "mode": pa.int8()}
SCHEMA = pa.schema(
    [
        *((name, TYPES.get(name, pa.int64())) for name in FRAME_COLUMNS),
        (KEY, pa.dictionary(pa.int32(), pa.string())),
        *((name, TYPES.get(name, pa.int64())) for name in PLAIN),
        *((name, pa.int64()) for name in DEPTH),
    ]
)
Row = tuple[Any, ...]


def rows_of(frame: TickFrame, partition: int, keys: dict[int, str]) -> Iterator[Row]:
    """The rows of a frame. `keys` names instruments by token; one without a name is called by its token."""
    head = (frame.event_time, frame.received_ns, partition, frame.run_id)
    for tick in frame.ticks:
        key = keys.get(tick.instrument_token, str(tick.instrument_token))
        plain = (getattr(tick, name) for name in PLAIN)
        yield (*head, key, *plain, *_depth(tick.buy), *_depth(tick.sell))


def _depth(levels: Sequence[Level]) -> Iterator[int | None]:
    for level in levels[:LEVELS]:
        yield level.price_units
        yield level.quantity
        yield level.orders
    for _ in range(LEVELS - len(levels)):
        yield from ABSENT


def table_of(rows: Iterable[Row]) -> pa.Table:
    """A table of the rows, in their order."""
    columns = list(zip(*rows, strict=True)) or [() for _ in SCHEMA]
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def ticks_of(batch: pa.RecordBatch) -> Iterator[tuple[int, str, Tick]]:
    """(clock, instrument key, tick) of each row."""
    columns = [batch.column(name).to_pylist() for name in ("clock", KEY, *PLAIN, *DEPTH)]
    plain_end, buy_end = 2 + len(PLAIN), 2 + len(PLAIN) + len(DEPTH) // 2
    mode = PLAIN.index("mode")
    for row in zip(*columns, strict=True):
        plain = list(row[2:plain_end])
        plain[mode] = Mode(plain[mode])
        plain += [_levels(row[plain_end:buy_end]), _levels(row[buy_end:])]
        yield row[0], row[1], Tick(*plain)


def _levels(numbers: Sequence[Any]) -> tuple[Level, ...]:
    present = (numbers[start : start + 3] for start in range(0, len(numbers), 3))
    return tuple(Level(*one) for one in present if one[0] is not None)
