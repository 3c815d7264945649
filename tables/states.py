"""States in a table, changed together with the outputs of the change.

One decision writes its outputs to a journal row first and its new states, each with the source offset it has
now applied, after it. Both go to the same changelog partition in that order, so whoever finds a state finds the
outputs that belong to it: a redelivered message is recognised by its offset and its outputs are sent again
from the journal. A crash between the two writes leaves a journal row nobody refers to, and the decision is made
afresh: nothing of the first one was ever sent. Event ids to remember come last, and again with every redelivery.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Generic, Self, TypeVar

import msgspec

from tables.journal import (
    APPLIED_PREFIX,
    JournalRow,
    Output,
    StateRow,
    applied_key,
    decode_journal_row,
    decode_state_row,
    encode_row,
    is_state_key,
    journal_key,
)

State = TypeVar("State", bound=msgspec.Struct)


class StateTable(Generic[State]):
    """Typed states on a raw table. All methods are synchronous and only for the agent's own coroutine.

    Decoded states are cached until `forget` (called when partitions move).
    """

    def __init__(self, table: MutableMapping[str, bytes], state_type: type[State]) -> None:
        self.raw = table
        self._decode = msgspec.msgpack.Decoder(state_type).decode
        self._encode = msgspec.msgpack.Encoder().encode
        self._cache: dict[str, tuple[StateRow, State]] = {}

    def forget(self) -> None:
        """Drop cached states; the table is read again."""
        self._cache.clear()

    def row(self, key: str) -> tuple[StateRow, State] | None:
        """The row and the decoded state of `key`."""
        cached = self._cache.get(key)
        if cached is not None:
            return cached
        raw = self.raw.get(key)
        if raw is None:
            return None
        row = decode_state_row(raw)
        found = row, self._decode(row.state)
        self._cache[key] = found
        return found

    def write(self, key: str, positions: dict[str, int], state: State) -> None:
        """Store a state with the offsets it has applied."""
        row = StateRow(positions, self._encode(state))
        self.raw[key] = encode_row(row)
        self._cache[key] = row, state

    def evict(self, key: str) -> None:
        """Read `key` from the table next time."""
        self._cache.pop(key, None)

    def delete(self, key: str) -> None:
        """Remove a row."""
        self._cache.pop(key, None)
        self.raw.pop(key, None)

    def states(self) -> Iterator[tuple[str, State]]:
        """All states of the assigned partitions."""
        for key, raw in list(self.raw.items()):
            if is_state_key(key):
                yield key, self._decode(decode_state_row(raw).state)

    def remembers(self, kind: str, event_id: str) -> bool:
        """True when `remember` was called for this id."""
        return self.raw.get(applied_key(kind, event_id)) is not None

    def remember(self, kind: str, event_id: str, day: str) -> None:
        """Keep an event id until its day is over."""
        self.raw[applied_key(kind, event_id)] = day.encode()

    def forget_days_before(self, day: str) -> int:
        """Drop remembered ids of earlier days (ISO dates) in the message's partition; returns how many."""
        old = [key for key, value in list(self.raw.items()) if key.startswith(APPLIED_PREFIX) and value.decode() < day]
        return sum(self.raw.pop(key, None) is not None for key in old)

    def transaction(self, source: str, offset: int) -> Transaction[State]:
        """Begin the decision on one message."""
        return Transaction(self, source, offset)


class Transaction(Generic[State]):
    """One message's changes: `put` any number of states, then `commit` once.

    A context manager: when the block raises, states it had changed in memory are dropped again.
    """

    def __init__(self, table: StateTable[State], source: str, offset: int) -> None:
        self._table = table
        self._source = source
        self._offset = offset
        self._changes: dict[str, tuple[State, list[Output]]] = {}
        self._remembered: list[tuple[str, str, str]] = []
        self._again: dict[str, list[Output]] = {}
        self._journal: JournalRow | None = None
        self._touched: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is not None:
            for key in self._touched:
                self._table.evict(key)

    def applied(self, key: str) -> bool:
        """True when this message is already in the state of `key`: a redelivery, its outputs are sent again."""
        found = self._table.row(key)
        if found is None or not found[0].has_applied(self._source, self._offset):
            return False
        self._again[key] = self._stored().get(key, [])
        return True

    def get(self, key: str) -> State | None:
        """The state as of now; put it back after changing it."""
        self._touched.add(key)
        found = self._table.row(key)
        return None if found is None else found[1]

    def put(self, key: str, state: State, outputs: list[Output]) -> None:
        """The new state of `key` and what to send because of it."""
        self._changes[key] = state, outputs

    def remember(self, kind: str, event_id: str, day: str) -> None:
        """Also remember an event id, for repeats elsewhere. Called before `applied`: a redelivery does it again."""
        self._remembered.append((kind, event_id, day))

    def commit(self) -> list[Output]:
        """Write everything; returns what has to be sent, stored outputs of a redelivery included."""
        outputs = {**self._again, **{key: made for key, (_, made) in self._changes.items()}}
        if self._changes:
            key = journal_key(self._source, self._offset)
            self._table.raw[key] = encode_row(JournalRow(self._offset, outputs))
        for key, (state, _) in self._changes.items():
            found = self._table.row(key)
            positions = dict(found[0].positions) if found else {}
            self._table.write(key, {**positions, self._source: self._offset}, state)
        for kind, event_id, day in self._remembered:
            self._table.remember(kind, event_id, day)
        return [output for made in outputs.values() for output in made]

    def _stored(self) -> dict[str, list[Output]]:
        if self._journal is None:
            raw = self._table.raw.get(journal_key(self._source, self._offset))
            self._journal = decode_journal_row(raw) if raw is not None else JournalRow(self._offset, {})
            if self._journal.offset != self._offset:
                self._journal = JournalRow(self._offset, {})
        return self._journal.outputs
