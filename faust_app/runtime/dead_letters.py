"""Dead letters: the original key and bytes; headers say where they came from and why they could not be handled."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from faust_app.runtime.topics import DLQ
from tables.journal import Output

HEADERS = ("origin-topic", "origin-partition", "origin-offset", "stage", "reason", "error", "failed-at")
LONGEST_ERROR = 1000


class Origin(Protocol):
    """What a dead letter needs to know of the message."""

    @property
    def topic(self) -> str:
        """Topic it was read from."""

    @property
    def partition(self) -> int:
        """Partition it was read from."""

    @property
    def offset(self) -> int:
        """Its offset."""

    @property
    def key(self) -> bytes | None:
        """Its key."""

    @property
    def value(self) -> bytes | None:
        """Its bytes."""


def dead_letter(record: Origin, reason: str, error: Exception, stage: str) -> Output:
    """The message for the dead-letter topic. `reason` is decode, version or handler; the time is for people only."""
    values = (
        record.topic,
        str(record.partition),
        str(record.offset),
        stage,
        reason,
        f"{type(error).__name__}: {error}"[:LONGEST_ERROR],
        datetime.now(UTC).isoformat(),
    )
    headers = tuple((name, text.encode(errors="backslashreplace")) for name, text in zip(HEADERS, values, strict=True))
    value = b"" if record.key is None and record.value is None else record.value  # Kafka takes no message of neither
    return Output(f"{record.topic}{DLQ}", record.key, value, 0, headers)
