"""Rows of any table as plain data, for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from tables import book, exposure, orders, portfolios, strategy_state, triggers
from tables.journal import decode_state_row, is_state_key
from tables.strategy_state import Checkpoint
from trading.accounting.account import Account
from trading.matching.book import PaperBook
from trading.orders.state import OrderRecord
from trading.orders.triggers import TriggerRecord
from trading.risk.exposure import Exposure

Row = dict[str, Any]


def _state(state_type: type[msgspec.Struct]) -> Callable[[bytes], Row]:
    decode = msgspec.msgpack.Decoder(state_type).decode

    def row(raw: bytes) -> Row:
        stored = decode_state_row(raw)
        return {"applied": stored.positions, "state": msgspec.to_builtins(decode(stored.state))}

    return row


def _checkpoint(raw: bytes) -> Row:
    checkpoint = msgspec.msgpack.decode(raw, type=Checkpoint)
    values = {name: getattr(checkpoint, name) for name in Checkpoint.__struct_fields__}
    return {"state": {**values, "state": f"{len(checkpoint.state)} bytes"}}


DECODERS: dict[str, Callable[[bytes], Row]] = {
    book.NAME: _state(PaperBook),
    exposure.NAME: _state(Exposure),
    orders.NAME: _state(OrderRecord),
    portfolios.NAME: _state(Account),
    strategy_state.NAME: _checkpoint,
    triggers.NAME: _state(TriggerRecord),
}


def readable_rows(table: str, items: Iterable[tuple[str, bytes]]) -> Iterator[Row]:
    """Key, applied offsets and state of each row; bookkeeping rows (journal, remembered ids) are left out."""
    decode = DECODERS[table]
    for key, raw in items:
        if is_state_key(key):
            yield {"key": key, **decode(raw)}
