"""Which triggers at the exchange are ours: the table, written by the engine's agent only, and what it holds now."""

from __future__ import annotations

from collections.abc import Mapping

from faust_app.runtime.app import Worker
from faust_app.runtime.consume import Record
from models.messages.protection import TriggerMessage
from tables import triggers as triggers_table
from tables.journal import Output
from trading.orders.triggers import TriggerRecord, fold_trigger, key_of


class OwnTriggers:
    """The `triggers` table of one engine. `standing` has the positions with triggers, by key."""

    def __init__(self, worker: Worker) -> None:
        self._table = triggers_table.triggers_table(worker.table(triggers_table.NAME, triggers_table.HELP))
        self._standing: dict[str, TriggerRecord] = {}

    def standing(self) -> Mapping[str, TriggerRecord]:
        """Those that stand, or may, without reading the table."""
        return self._standing

    def forget(self) -> None:
        """Partitions moved: read the table again."""
        self._table.forget()
        self._standing = {key: record for key, record in self._table.states() if not record.is_empty}

    def keep(self, record: Record, body: TriggerMessage) -> list[Output]:
        """Take what is told of a trigger into the table."""
        key = key_of(body.position)
        with self._table.transaction(record.source, record.offset) as change:
            if change.applied(key):
                return change.commit()
            known = fold_trigger(change.get(key), body)
            change.put(key, known, [])
            outputs = change.commit()
        if known.is_empty:
            self._standing.pop(key, None)
        else:
            self._standing[key] = known
        return outputs
