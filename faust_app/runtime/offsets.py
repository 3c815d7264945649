"""Which offsets were handed out, handled, and may be committed. Pure bookkeeping, no Kafka.

Two rules hold whatever happens around them:
- records of a partition are handed out without a hole (`accepts`): a batch that does not start where the
  last one ended is refused, and the caller rewinds;
- the offset to commit (`committable`) never passes a record that was handed out and not handled.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Partition:
    expected: int | None = None  # next offset to hand out; None until a seek told
    outstanding: dict[int, Any] = field(default_factory=dict)  # handed out, not handled, in order
    committed: int | None = None


class OffsetTracker:
    """Bookkeeping of one consumer, by partition. Not thread-safe: the event loop's only."""

    def __init__(self) -> None:
        self._partitions: dict[Hashable, _Partition] = {}

    def clear(self) -> None:
        """Forget everything; before an assignment is known."""
        self._partitions.clear()

    def seek(self, tp: Hashable, offset: int | None) -> None:
        """Consumption of `tp` starts again at `offset` (None: at the log's start, wherever that is)."""
        self._partitions[tp] = _Partition(expected=offset, committed=offset)

    def expected(self, tp: Hashable) -> int | None:
        """The next offset to hand out, None when any start is right."""
        known = self._partitions.get(tp)
        return None if known is None else known.expected

    def accepts(self, tp: Hashable, start: int | None) -> bool:
        """Whether a batch fetched from position `start` follows what was handed out before."""
        expected = self.expected(tp)
        return expected is None or start == expected

    def handed_out(self, tp: Hashable, offset: int, message: Any) -> None:
        """`message` goes to a handler."""
        partition = self._partitions.setdefault(tp, _Partition())
        partition.outstanding[offset] = message
        partition.expected = offset + 1

    def finish_batch(self, tp: Hashable, end: int) -> None:
        """All records of a batch that ends before offset `end` were handed out; the log may have holes there."""
        self._partitions.setdefault(tp, _Partition()).expected = end

    def handled(self, tp: Hashable, offset: int, message: Any) -> bool:
        """`message` was handled; False for a stale copy that a later delivery has replaced."""
        partition = self._partitions.get(tp)
        if partition is None or partition.outstanding.get(offset) is not message:
            return False
        del partition.outstanding[offset]
        return True

    def committable(self, tp: Hashable) -> int | None:
        """The offset to commit, or None when that is no progress."""
        reached, committed = self.reached(tp), self.committed_offset(tp)
        if reached is None or (committed is not None and reached <= committed):
            return None
        return reached

    def reached(self, tp: Hashable) -> int | None:
        """The offset before which everything was handled, None when nobody knows."""
        partition = self._partitions.get(tp)
        if partition is None or partition.expected is None:
            return None
        return next(iter(partition.outstanding), partition.expected)

    def committed(self, tp: Hashable, offset: int) -> None:
        """Kafka has `offset` as the group's position."""
        if tp in self._partitions:
            self._partitions[tp].committed = offset

    def committed_offset(self, tp: Hashable) -> int | None:
        """The group's position as far as known."""
        known = self._partitions.get(tp)
        return None if known is None else known.committed

    def partitions(self) -> list[Hashable]:
        """All partitions with bookkeeping."""
        return list(self._partitions)
