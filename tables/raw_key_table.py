"""The Faust table of this project: keys and values are the bytes we make, and every write can be awaited.

A write reaches RocksDB only when the changelog has it, together with its offset there: after a crash the local
state is the changelog's beginning up to some offset, never a mixture with writes that Kafka has not seen. Until then
reads find it in memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import ItemsView, Iterator
from functools import partial
from typing import Any

import faust
from faust.streams import current_event
from rocksdict import WriteBatch

from tables.changelog import ChangelogWriter

ROCKSDB_OPTIONS = {
    "block_cache_size": 16 << 20,
    "write_buffer_size": 4 << 20,
    "max_open_files": 128,
    "bloom_filter_size": 10,
}
SIZES = ("rocksdb.total-sst-files-size", "rocksdb.cur-size-all-mem-tables")


class _Unsettled:
    """The newest value of a key (None: removed) whose `writes` are not all in the changelog yet."""

    __slots__ = ("value", "writes")

    def __init__(self) -> None:
        self.value: bytes | None = None
        self.writes = 0


class RawKeyTable(faust.Table):
    """Raw string keys hash like the keys of source topics; `pending_writes` are not yet in the changelog."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.pending_writes: list[Any] = []
        self._unsettled: defaultdict[int, dict[str, _Unsettled]] = defaultdict(dict)
        self._assignment = 0
        super().__init__(*args, **kwargs)
        self._writer = ChangelogWriter(self.app)
        self._changelog = self.changelog_topic.get_topic_name()

    def _serializer_from_type(self, typ: Any) -> Any:
        return "raw" if typ in (str, bytes) else super()._serializer_from_type(typ)

    def _write(self, key: str, value: bytes | None) -> None:
        """Send one write to the changelog of the message's partition. TypeError outside a message."""
        partition = self.partition_for_key(key)
        future = self._writer.write(self._changelog, partition, key.encode(), value)
        self.pending_writes.append(future)
        entry = self._unsettled[partition].setdefault(key, _Unsettled())
        entry.value, entry.writes = value, entry.writes + 1
        future.add_done_callback(partial(self._settle, self._assignment, partition, key, value))

    def _settle(self, assignment: int, partition: int, key: str, value: bytes | None, future: Any) -> None:
        """The changelog has a write: store it. Not when partitions have moved since: recovery will read it."""
        if assignment != self._assignment or future.cancelled() or future.exception() is not None:
            return
        batch, store = WriteBatch(raw_mode=True), self.data
        if value is None:
            batch.delete(key.encode())
        else:
            batch.put(key.encode(), value)
        batch.put(store.offset_key, b"%d" % future.result().offset)
        store._db_for_partition(partition).write(batch)
        entry = self._unsettled[partition][key]
        entry.writes -= 1
        if not entry.writes:
            del self._unsettled[partition][key]

    @property
    def size_bytes(self) -> int:
        """Of the partitions that are open here, in files and in memory."""
        opened = tuple(getattr(self.data, "_dbs", {}).values())
        return sum(one.property_int_value(name) or 0 for one in opened for name in SIZES)

    async def on_rebalance(self, *args: Any, **kwargs: Any) -> None:
        """Partitions move: what is not stored yet is read back from the changelog by whoever gets them."""
        self._assignment += 1
        self._unsettled.clear()
        await super().on_rebalance(*args, **kwargs)

    def _find(self, key: str) -> _Unsettled | None:
        """The write of `key` that is not settled: in the message's partition, in any outside a message."""
        event = current_event()
        partitions = [event.message.partition] if event is not None else list(self._unsettled)
        return next((self._unsettled[one][key] for one in partitions if key in self._unsettled[one]), None)

    def __getitem__(self, key: str) -> bytes:
        found = self._find(key)
        if found is None:
            return bytes(super().__getitem__(key))
        if found.value is None:
            raise KeyError(key)
        return found.value

    def __setitem__(self, key: str, value: bytes) -> None:
        self._write(key, value)
        self._sensor_on_set(self, key, value)

    def __delitem__(self, key: str) -> None:
        self._write(key, None)
        self._sensor_on_del(self, key)

    def __contains__(self, key: object) -> bool:
        found = self._find(str(key))
        return super().__contains__(key) if found is None else found.value is not None

    def _merged(self) -> dict[str, bytes]:
        merged = dict(self.data.items())
        for entries in self._unsettled.values():
            for key, entry in entries.items():
                merged.pop(key, None)
                if entry.value is not None:
                    merged[key] = entry.value
        return merged

    def items(self) -> ItemsView[str, bytes]:
        """All rows of the assigned partitions."""
        return self._merged().items()

    def __iter__(self) -> Iterator[str]:
        return iter(self._merged())

    def __len__(self) -> int:
        return len(self._merged())

    def take_pending_writes(self) -> list[Any]:
        """Futures of the writes since the last call."""
        taken, self.pending_writes = self.pending_writes, []
        return taken


def raw_table(app: faust.App, name: str, help_text: str, partitions: int) -> RawKeyTable:
    """Declare a table with string keys, byte values and a small RocksDB."""
    table: RawKeyTable = app.Table(
        name, key_type=str, value_type=bytes, partitions=partitions, help=help_text, options=dict(ROCKSDB_OPTIONS)
    )
    return table
