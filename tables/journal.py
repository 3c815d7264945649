"""Rows of a table: a state that knows which messages it has applied, and the outputs each of them led to."""

from __future__ import annotations

import msgspec

JOURNAL_SLOTS = 4096
JOURNAL_PREFIX = "#journal/"
APPLIED_PREFIX = "#applied/"


class Output(msgspec.Struct, array_like=True, frozen=True):
    """One message to send: `partition` -1 leaves the choice to the key."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int = -1
    headers: tuple[tuple[str, bytes], ...] = ()


class StateRow(msgspec.Struct, array_like=True):
    """A state's bytes, and per source (`topic/partition`) the offset of the last message it has applied."""

    positions: dict[str, int]
    state: bytes

    def has_applied(self, source: str, offset: int) -> bool:
        """True when the message at `offset` of `source` is already in the state."""
        return self.positions.get(source, -1) >= offset


class JournalRow(msgspec.Struct, array_like=True):
    """What the message at `offset` led to, by state key: enough to send it again, never to decide again."""

    offset: int
    outputs: dict[str, list[Output]]


def journal_key(source: str, offset: int) -> str:
    """Key of the slot that holds the outputs of a message; slots are used in turn."""
    return f"{JOURNAL_PREFIX}{source}/{offset % JOURNAL_SLOTS}"


def applied_key(kind: str, event_id: str) -> str:
    """Key of the row that remembers an event id."""
    return f"{APPLIED_PREFIX}{kind}/{event_id}"


def is_state_key(key: str) -> bool:
    """True for rows that hold a state, False for bookkeeping rows."""
    return not key.startswith("#")


_encode = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(StateRow).decode
_decode_journal = msgspec.msgpack.Decoder(JournalRow).decode


def encode_row(row: StateRow | JournalRow) -> bytes:
    """Bytes of a row."""
    return _encode(row)


def decode_state_row(raw: bytes) -> StateRow:
    """The state row in `raw`."""
    return _decode_state(raw)


def decode_journal_row(raw: bytes) -> JournalRow:
    """The journal row in `raw`."""
    return _decode_journal(raw)
