"""The Faust table of this project: keys and values are the bytes we make, and every write can be awaited."""

from __future__ import annotations

from typing import Any

import faust

ROCKSDB_OPTIONS = {
    "block_cache_size": 16 << 20,
    "write_buffer_size": 4 << 20,
    "max_open_files": 128,
    "bloom_filter_size": 10,
}


class RawKeyTable(faust.Table):
    """Raw string keys hash like the keys of source topics; `pending_writes` are not yet in the changelog."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.pending_writes: list[Any] = []
        super().__init__(*args, **kwargs)

    def _serializer_from_type(self, typ: Any) -> Any:
        return "raw" if typ in (str, bytes) else super()._serializer_from_type(typ)

    def send_changelog(self, *args: Any, **kwargs: Any) -> Any:
        """Send one write to the changelog, and remember its future for the consume loop to await."""
        future = super().send_changelog(*args, **kwargs)
        self.pending_writes.append(future)
        return future

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
