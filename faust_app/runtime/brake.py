"""Stops a worker that diverts everything: then it is not the messages that are wrong."""

from __future__ import annotations

from collections import defaultdict, deque


class Brake:
    """Counts dead letters per partition, in a row and within a minute."""

    def __init__(self, consecutive: int, per_minute: int) -> None:
        self._consecutive = consecutive
        self._per_minute = per_minute
        self._in_a_row: dict[int, int] = defaultdict(int)
        self._recent: dict[int, deque[float]] = defaultdict(deque)

    def passed(self, partition: int) -> None:
        """A message of the partition was handled normally."""
        if self._in_a_row:
            self._in_a_row.pop(partition, None)

    def tripped_by(self, partition: int, now: float) -> bool:
        """One more dead letter at monotonic second `now`; True when it is one too many."""
        self._in_a_row[partition] += 1
        recent = self._recent[partition]
        recent.append(now)
        while recent and now - recent[0] > 60:
            recent.popleft()
        return self._in_a_row[partition] > self._consecutive or len(recent) > self._per_minute
