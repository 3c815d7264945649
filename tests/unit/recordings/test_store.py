"""The store of recorded ticks: what was written comes back, whole, once, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.messages.ticks import Level, Mode, Tick
from recordings import store as module
from recordings.columns import Row, rows_of, ticks_of
from recordings.errors import BadRecording
from recordings.markets import check_path, open_market
from recordings.store import Offsets, TickStore, about
from tests.factories import tick
from tests.recorded import DAY, INSTRUMENTS, KEYS, TOKENS, frame, in_order, minutes, recorder, session, stored
from tests.recorded import feed as feed_all
from tests.strategy_runs import OPEN
from trading.market.sessions import trading_day

TODAY, TOMORROW = trading_day(OPEN), trading_day(OPEN + DAY)


def rows(*ticks: Tick, clock: int = OPEN) -> list[Row]:
    return list(rows_of(frame(clock, ticks), 0, KEYS))


def put(store: TickStore, minute: str, of: Iterable[Row], offsets: Offsets | None = None, day: date = TODAY) -> Path:
    return store.write_minute(day, minute, of, offsets or {}, {0: OPEN})


def some(count: int, token: int = TOKENS[0]) -> list[Tick]:
    return [tick(sequence=number, instrument_token=token) for number in range(1, count + 1)]


def read(store: TickStore, day: date = TODAY) -> list[Tick]:
    return [one for _, _, one in store.read(day)]


def names(folder: Path) -> list[str]:
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*"))


def test_minutes_come_back_in_time_order_with_clock_and_key(tmp_path: Path) -> None:
    store, (first, second, third) = TickStore(tmp_path), some(3)
    put(store, "1002", rows(third, clock=OPEN + 120), {0: 3})
    put(store, "0915", rows(first), {0: 1})
    put(store, "0915", rows(second, clock=OPEN + 9), {0: 2})
    assert list(store.read(TODAY)) == [
        (OPEN, "NSE:S0", first),
        (OPEN + 9, "NSE:S0", second),
        (OPEN + 120, "NSE:S0", third),
    ]
    assert store.days() == [TODAY]


def test_the_number_of_a_minute_rises_beyond_nine(tmp_path: Path) -> None:
    store, ticks = TickStore(tmp_path), some(12)
    for one in ticks:
        put(store, "0915", rows(one))
    assert read(store) == ticks


def test_an_instrument_without_a_name_is_called_by_its_token(tmp_path: Path) -> None:
    store = TickStore(tmp_path)
    put(store, "0915", rows(*some(1, token=77)))
    assert [key for _, key, _ in store.read(TODAY)] == ["77"]


def test_levels_that_are_absent_and_levels_of_price_0_are_kept_apart(tmp_path: Path) -> None:
    store, padding = TickStore(tmp_path), Level(0, 0, 0)
    ticks = [
        tick(buy=(), sell=()),
        tick(buy=(padding,) * 5, sell=(Level(5, 1, 1), padding)),
        Tick(1, 2, Mode.LTP, False, 3),
    ]
    put(store, "0915", rows(*ticks))
    assert read(store) == ticks
    assert [type(one.mode) for one in read(store)] == [Mode] * 3


def test_a_finished_day_is_one_file_that_says_the_same(tmp_path: Path) -> None:
    store, ticks = TickStore(tmp_path), some(4)
    for number, one in enumerate(ticks):
        put(store, f"09{15 + number}", rows(one), {0: number + 1, 1: 7})
    before = list(store.read(TODAY))
    store.finish(TODAY)
    assert names(tmp_path) == [f"{TODAY}.parquet"]
    assert list(store.read(TODAY)) == before
    assert store.next_offsets() == {0: 4, 1: 7}
    assert store.clocks(TODAY) == {0: OPEN}
    assert store.unfinished() == []


def test_small_minutes_become_large_groups_and_large_ones_are_cut(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "ROWS_PER_GROUP", 10)
    store, ticks = TickStore(tmp_path), some(37)
    sizes = [1, 2, 3, 4, 5, 22]
    for number, size in enumerate(sizes):
        start = sum(sizes[:number])
        put(store, f"09{15 + number}", rows(*ticks[start : start + size]))
    store.finish(TODAY)
    opened = pq.ParquetFile(tmp_path / f"{TODAY}.parquet")
    assert [opened.metadata.row_group(number).num_rows for number in range(opened.num_row_groups)] == [10, 15, 10, 2]
    assert read(store) == ticks


def test_what_comes_after_the_day_was_finished_is_added(tmp_path: Path) -> None:
    store, (first, second, third) = TickStore(tmp_path), some(3)
    put(store, "0915", rows(first), {0: 1})
    store.finish(TODAY)
    put(store, "0915", rows(second), {0: 2})
    assert names(tmp_path) == [str(TODAY), f"{TODAY}.parquet", f"{TODAY}/0915-2.parquet"]
    assert read(store) == [first, second]
    store.finish(TODAY)
    put(store, "0916", rows(third), {0: 3})
    assert read(store) == [first, second, third]
    assert store.next_offsets() == {0: 3}


def test_going_on_is_after_what_was_written_last_whatever_its_day(tmp_path: Path) -> None:
    store = TickStore(tmp_path)
    put(store, "0915", rows(*some(1)), {0: 900}, TOMORROW)
    put(store, "0915", rows(*some(1)), {0: 5})
    assert store.next_offsets() == {0: 5}
    store.finish(TODAY)
    assert TickStore(tmp_path).next_offsets() == {0: 5}
    again = TickStore(tmp_path)
    put(again, "0916", rows(*some(1)), {0: 6}, TOMORROW)
    assert TickStore(tmp_path).next_offsets() == {0: 6}


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    store = TickStore(tmp_path / "none")
    assert (store.days(), store.next_offsets(), store.unfinished(), store.clocks(TODAY)) == ([], {}, [], {})
    (tmp_path / "20260820").mkdir()
    (tmp_path / str(TODAY)).mkdir()
    (tmp_path / f".{TODAY}.parquet.part").write_bytes(b"half")
    (tmp_path / str(TODAY) / ".0915-1.parquet.part").write_bytes(b"half")
    (tmp_path / "notes.parquet").write_bytes(b"other")
    assert TickStore(tmp_path).days() == []


def test_reading_a_day_streams(tmp_path: Path, monkeypatch: Any) -> None:
    store = TickStore(tmp_path)
    put(store, "0915", rows(*some(3 * module.ROWS_AT_ONCE)))
    store.finish(TODAY)
    taken: list[int] = []

    def counting(batch: pa.RecordBatch) -> Iterator[Any]:
        taken.append(batch.num_rows)
        return ticks_of(batch)

    monkeypatch.setattr(module, "ticks_of", counting)
    ticks = store.read(TODAY)
    next(ticks)
    assert taken == [module.ROWS_AT_ONCE]
    assert sum(1 for _ in ticks) == 3 * module.ROWS_AT_ONCE - 1


def test_writing_streams(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "ROWS_PER_GROUP", 10)
    pulled, seen = 0, []

    def source() -> Iterator[Row]:
        nonlocal pulled
        for row in rows(*some(35)):
            pulled += 1
            yield row

    real = pq.ParquetWriter.write_table

    def watched(self: Any, table: pa.Table) -> None:
        seen.append((table.num_rows, pulled))
        real(self, table)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", watched)
    put(TickStore(tmp_path), "0915", source())
    assert seen == [(10, 10), (10, 20), (10, 30), (5, 35)]


def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    store = TickStore(tmp_path)
    file = tmp_path / f"{TODAY}.parquet"
    file.write_bytes(b"not Parquet")
    with pytest.raises(BadRecording, match=rf"{TODAY}\.parquet: is no Parquet file"):
        read(store)
    pq.write_table(pa.table({"a": [1]}), file)
    with pytest.raises(BadRecording, match=rf"{TODAY}\.parquet: holds no ticks in format 1"):
        read(store)


def test_a_truncated_file_is_refused_by_name(tmp_path: Path) -> None:
    store = TickStore(tmp_path)
    file = put(store, "0915", rows(*some(50)))
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(BadRecording, match=r"0915-1\.parquet"):
        read(store)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = TickStore(tmp_path / "file")
    with pytest.raises(BadRecording, match="cannot be written: Not a directory"):
        put(store, "0915", rows(*some(1)))
    with pytest.raises(BadRecording, match="cannot be written: File exists"):
        store.write_instruments(INSTRUMENTS)


def test_instruments_come_back_and_must_be_there(tmp_path: Path) -> None:
    store = TickStore(tmp_path)
    with pytest.raises(BadRecording, match=r"instruments\.json: holds no instruments"):
        store.read_instruments()
    store.write_instruments(INSTRUMENTS)
    assert store.read_instruments() == INSTRUMENTS
    (tmp_path / "instruments.json").write_text("[{")
    with pytest.raises(BadRecording, match=r"instruments\.json: holds no instruments"):
        store.read_instruments()


def test_a_recording_is_a_market_of_what_was_recorded(tmp_path: Path) -> None:
    store = TickStore(tmp_path)
    store.write_instruments(INSTRUMENTS)
    one = recorder(store)
    feed_all(one, session(minutes(3)), Random(1))
    one.finish()
    check_path(tmp_path)
    market = open_market(tmp_path)
    assert list(market.days) == [TODAY]
    assert [each.key for each in market.instruments] == [each.key for each in INSTRUMENTS]
    seconds = list(market.seconds(TODAY))
    assert [clock for clock, _ in seconds] == sorted({clock for clock, _ in seconds})
    shown = [(clock, each.instrument_token) for clock, ticks in seconds for each in ticks]
    assert shown == [(clock, each.instrument_token) for clock, each in in_order(session(minutes(3)))]


def test_only_instruments_with_ticks_are_in_the_market(tmp_path: Path) -> None:
    store = TickStore(tmp_path)
    store.write_instruments(INSTRUMENTS[:2])
    put(store, "0915", rows(*some(2), *some(1, token=TOKENS[2])))
    market = open_market(tmp_path)
    assert [one.instrument_token for one in market.instruments] == [TOKENS[0]]
    ((_, ticks),) = market.seconds(TODAY)
    assert [one.instrument_token for one in ticks] == [TOKENS[0]] * 2


def test_a_restarted_feed_counts_on_and_its_clock_does_not_go_back(tmp_path: Path) -> None:
    store = TickStore(tmp_path)
    store.write_instruments(INSTRUMENTS)
    first, second = some(3), some(2)
    put(store, "0915", rows(*first, clock=OPEN + 30))
    put(store, "0915", rows(*second, clock=OPEN + 20) + rows(*some(1), clock=OPEN + 31))
    seconds = list(open_market(tmp_path).seconds(TODAY))
    assert [(clock, [one.sequence for one in ticks]) for clock, ticks in seconds] == [
        (OPEN + 30, [1, 2, 3, 4, 5]),
        (OPEN + 31, [6]),
    ]


def test_about_says_which_minutes_a_day_is_made_of(tmp_path: Path) -> None:
    store = TickStore(tmp_path)
    for name in ("0915", "0916"):
        put(store, name, rows(*some(1)), {0: 1})
    store.finish(TODAY)
    assert about(tmp_path / f"{TODAY}.parquet").minutes == ("0915-1", "0916-1")
    assert stored(tmp_path) == [(OPEN, one) for one in some(1) * 2]
