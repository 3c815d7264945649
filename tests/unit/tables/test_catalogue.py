"""Every table's rows can be read by people, and bookkeeping stays out of sight."""

from __future__ import annotations

import json
from decimal import Decimal

from faust_app.runtime.topology import STAGES
from tables import book, exposure, orders, portfolios, strategy_state, triggers
from tables.catalogue import DECODERS, readable_rows
from tables.journal import Output
from tables.states import StateTable
from tables.strategy_state import Checkpoint, CheckpointTable
from tests import factories
from trading.accounting.account import new_account


def test_every_table_of_every_stage_can_be_read() -> None:
    names = {table for stage in STAGES for table in stage.tables}
    assert names == set(DECODERS)
    assert names == {one.NAME for one in (book, exposure, orders, portfolios, strategy_state, triggers)}


def test_row_shows_its_key_what_it_has_applied_and_its_state() -> None:
    raw: dict[str, bytes] = {}
    table = portfolios.portfolios_table(raw)
    with table.transaction("paper.orders.filled/0", 7) as change:
        change.put("paper:main", new_account("paper:main", Decimal("1000.50")), [Output("out", b"k", b"v")])
        change.remember("fill", "id", "2026-08-20")
        change.commit()
    (row,) = readable_rows(portfolios.NAME, raw.items())
    assert row["key"] == "paper:main"
    assert row["applied"] == {"paper.orders.filled/0": 7}
    assert row["state"]["cash"] == "1000.50"
    json.dumps(row)


def test_exposure_is_plain_data() -> None:
    raw: dict[str, bytes] = {}
    table = exposure.exposure_table(raw)
    table.write("paper:main", {}, factories.exposure())
    (row,) = readable_rows(exposure.NAME, raw.items())
    assert row["state"]["account"]["day"] == "2026-08-20"
    json.dumps(row)


def test_checkpoint_shows_the_size_of_its_state() -> None:
    raw: dict[str, bytes] = {}
    CheckpointTable(raw).save(Checkpoint("rsi", 0, "rsi:abc", 5, "run", 17, b"\x00" * 40))
    (row,) = readable_rows(strategy_state.NAME, raw.items())
    assert row["key"] == "rsi/0"
    assert row["state"]["state"] == "40 bytes"
    json.dumps(row)


def test_typed_views_read_what_they_wrote() -> None:
    views = (book.book_table, exposure.exposure_table, orders.orders_table, portfolios.portfolios_table)
    for view in (*views, triggers.triggers_table):
        assert isinstance(view({}), StateTable)
        assert view({}).row("nothing") is None
