"""What `inspect` prints, read from RocksDB files beside a writer that has them open."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import rocksdict

from faust_app.runtime.inspect import WIDEST, as_table, matching_rows, read_table
from tables.portfolios import portfolios_table
from trading.accounting.account import new_account


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two partitions of `portfolios` and one of another table, still open for writing."""
    below = tmp_path / "v1" / "tables"
    below.mkdir(parents=True)
    for partition, account in enumerate(("paper:main", "paper:other")):
        rows: dict[str, bytes] = {}
        table = portfolios_table(rows)
        with table.transaction(f"paper.orders.filled/{partition}", 3) as change:
            change.put(account, new_account(account, Decimal(1000)), [])
            change.commit()
        write(below / f"portfolios-{partition}.db", rows)
    write(below / "exposure-0.db", {"secret": b"not asked for"})
    return tmp_path


_open: list[rocksdict.Rdict] = []


def write(path: Path, rows: dict[str, bytes]) -> None:
    database = rocksdict.Rdict(str(path), options=rocksdict.Options(raw_mode=True))
    for key, value in {"__faust\0offset__": b"5", **rows}.items():
        database[key.encode()] = value
    _open.append(database)


@pytest.fixture(autouse=True)
def closed() -> object:
    yield
    while _open:
        _open.pop().close()


def test_rows_of_all_partitions_are_read_without_fausts_own(folder: Path) -> None:
    keys = {key for key, _ in read_table(folder, "portfolios")}
    assert {"paper:main", "paper:other"} <= keys
    assert all(key.startswith(("paper:", "#journal/")) for key in keys)


def test_readable_rows_are_in_key_order_without_bookkeeping(folder: Path) -> None:
    assert [row["key"] for row in matching_rows(folder, "portfolios", None)] == ["paper:main", "paper:other"]


def test_one_key_gives_one_row(folder: Path) -> None:
    (row,) = matching_rows(folder, "portfolios", "paper:other")
    assert row["applied"] == {"paper.orders.filled/1": 3}
    assert matching_rows(folder, "portfolios", "paper:nobody") == []


def test_table_without_files_has_no_rows(folder: Path) -> None:
    assert matching_rows(folder, "orders", None) == []
    assert as_table([]) == "No rows"


def test_printed_rows_are_aligned_and_cut() -> None:
    rows = [{"key": "a", "state": {"x": 1}}, {"key": "longer", "state": {"text": "y" * 1000}}]
    head, first, second = as_table(rows).splitlines()
    assert head == "key     state"
    assert first == 'a       {"x": 1}'
    assert second.startswith('longer  {"text"')
    assert second.endswith("...")
    assert len(second) == WIDEST + len(" ...")
