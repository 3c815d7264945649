"""The recorder: each tick once, whatever stops it and whenever; partitions out of step; little in memory."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from models.messages.ticks import Tick
from recordings.errors import BadRecording
from recordings.recorder import TickRecorder
from recordings.store import TickStore
from tests.factories import tick
from tests.recorded import (
    DAY,
    INSTRUMENTS,
    PARTITIONS,
    TOKENS,
    Killed,
    Log,
    decode,
    encoded,
    feed,
    frame,
    in_order,
    killed_before,
    minutes,
    recorder,
    session,
    stored,
)
from tests.strategy_runs import OPEN
from trading.market.sessions import trading_day

TODAY = trading_day(OPEN)
TWO_DAYS = session([*minutes(4), *minutes(3, OPEN + DAY)])


def ends(log: Log) -> dict[int, int]:
    return {partition: len(frames) for partition, frames in enumerate(log)}


def one_tick(clock: int, sequence: int = 1, partition: int = 0) -> bytes:
    return encoded(frame(clock, [tick(sequence=sequence, at=clock, instrument_token=TOKENS[partition])]))


def files(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.rglob("*.parquet"))


@pytest.mark.parametrize("seed", range(4))
def test_every_tick_is_stored_once_in_the_order_of_the_feed(tmp_path: Path, seed: int) -> None:
    store = TickStore(tmp_path)
    one = recorder(store)
    feed(one, TWO_DAYS, Random(seed))
    one.finish()
    assert stored(tmp_path) == in_order(TWO_DAYS)
    assert one.ticks == len(in_order(TWO_DAYS))
    assert store.next_offsets() == ends(TWO_DAYS)
    assert store.days() == [TODAY, trading_day(OPEN + DAY)]
    assert one.unnamed == 0


def test_ticks_of_unknown_tokens_are_stored_and_counted(tmp_path: Path) -> None:
    one = TickRecorder(TickStore(tmp_path), PARTITIONS, decode, {TOKENS[0]: "NSE:S0"})
    feed(one, TWO_DAYS, Random(1))
    one.finish()
    assert one.ticks == len(in_order(TWO_DAYS))
    assert one.unnamed == sum(found.instrument_token != TOKENS[0] for _, found in in_order(TWO_DAYS))
    assert 0 < one.unnamed < one.ticks


def test_a_minute_is_stored_when_all_partitions_have_gone_beyond_it(tmp_path: Path) -> None:
    one = recorder(TickStore(tmp_path))
    one.add(0, 0, one_tick(OPEN + 59))
    for partition in range(PARTITIONS - 1):
        one.add(partition, 1, encoded(frame(OPEN + 60)))
    assert files(tmp_path) == []
    one.add(PARTITIONS - 1, 0, encoded(frame(OPEN + 59)))
    assert files(tmp_path) == []
    one.add(PARTITIONS - 1, 1, encoded(frame(OPEN + 60)))
    assert files(tmp_path) == ["0915-1.parquet"]


def test_empty_frames_and_rubbish_are_passed_and_not_kept(tmp_path: Path) -> None:
    store = TickStore(tmp_path)
    one = recorder(store)
    one.add(0, 0, one_tick(OPEN))
    one.add(0, 1, encoded(frame(OPEN + 1)))
    with pytest.raises(Exception, match="MessagePack"):
        one.add(0, 2, b"\xc1")
    assert one.next_offsets == {0: 3}
    one.finish()
    assert store.next_offsets() == {0: 3}
    assert sum(map(len, one._frames.values())) == 0


def by_instrument(found: list[tuple[int, Tick]]) -> dict[int, list[tuple[int, Tick]]]:
    ordered: dict[int, list[tuple[int, Tick]]] = {token: [] for token in TOKENS}
    for clock, one in found:
        ordered[one.instrument_token].append((clock, one))
    return ordered


def run_until_done(folder: Path, log: Log, seed: int) -> None:
    """One life of the recorder."""
    store = TickStore(folder)
    store.write_instruments(INSTRUMENTS)
    one = recorder(store)
    feed(one, log, Random(seed))
    one.finish()
    for day in store.unfinished():
        store.finish(day)


def test_killed_between_any_two_file_operations_nothing_is_lost_and_nothing_doubled(tmp_path: Path) -> None:
    operation, expected = 0, in_order(TWO_DAYS)
    while True:
        folder = tmp_path / str(operation)
        try:
            with killed_before(operation) as done:
                run_until_done(folder, TWO_DAYS, seed=operation)
            break
        except Killed:
            before = stored(folder) if folder.is_dir() else []
            assert before == expected[: len(before)]  # what is there is right, and in order
        run_until_done(folder, TWO_DAYS, seed=operation + 1)
        assert stored(folder) == expected, f"killed before operation {operation}, after {done[-3:]}"
        assert TickStore(folder).next_offsets() == ends(TWO_DAYS)
        operation += 1
    assert {"mkdir", "fsync", "replace", "rmtree", "unlink", "rmdir"} == set(done)
    assert operation > 30


def test_a_recorder_that_is_stopped_and_started_goes_on_exactly_there(tmp_path: Path) -> None:
    rng = Random(3)
    for _ in range(30):
        one = recorder(TickStore(tmp_path))
        left = iter(range(rng.randint(1, 9)))
        feed(one, TWO_DAYS, rng, until=lambda left=left: next(left, None) is None)  # type: ignore[misc]
        one.finish()
    last = recorder(TickStore(tmp_path))
    feed(last, TWO_DAYS, rng)
    last.finish()
    assert by_instrument(stored(tmp_path)) == by_instrument(in_order(TWO_DAYS))
    assert last.left_out == 0


def test_going_on_knows_partitions_that_brought_nothing_since(tmp_path: Path) -> None:
    first = recorder(TickStore(tmp_path))
    for partition in range(PARTITIONS):
        first.add(partition, 7, one_tick(OPEN, partition=partition))
    first.finish()
    second = recorder(TickStore(tmp_path))
    second.add(0, 8, one_tick(OPEN + 90, 2))
    second.finish()
    assert TickStore(tmp_path).next_offsets() == {0: 9, 1: 8, 2: 8}


@pytest.mark.parametrize("cut", [0, 40, 80])
def test_market_time_that_was_recorded_is_left_out(tmp_path: Path, cut: int) -> None:
    """A sandbox that is started again begins the same day anew; the rest of the day is recorded on."""
    first, again = session(minutes(3)), session(minutes(5), seed=2, run_id="again", began=1000)
    log = [one + two for one, two in zip(first, again, strict=True)]
    left = iter(range(cut))
    one = recorder(TickStore(tmp_path))
    feed(one, log, Random(2), until=lambda: cut > 0 and next(left, None) is None)
    one.finish()  # and started again somewhere, or not
    two = recorder(TickStore(tmp_path))
    feed(two, log, Random(3))
    two.finish()
    last = {tick.instrument_token: clock for clock, tick in in_order(first)}
    rest = [(clock, tick) for clock, tick in in_order(again) if clock >= last[tick.instrument_token]]
    assert by_instrument(stored(tmp_path)) == by_instrument([*in_order(first), *rest])
    assert one.left_out + two.left_out == len(in_order(again)) - len(rest)


def test_a_feed_that_is_restarted_within_a_minute_loses_nothing(tmp_path: Path) -> None:
    before, after = minutes(2)[:9], minutes(2)[9:]
    first, again = session(before), session(after, seed=2, run_id="again", began=1000)
    log = [one + two for one, two in zip(first, again, strict=True)]
    one = recorder(TickStore(tmp_path))
    feed(one, log, Random(1))
    one.finish()
    assert stored(tmp_path) == in_order(log)
    assert one.left_out == 0


def test_an_earlier_day_after_a_later_one_is_recorded(tmp_path: Path) -> None:
    later, earlier = session(minutes(2, OPEN + DAY)), session(minutes(2), seed=2, run_id="again", began=1000)
    one = recorder(TickStore(tmp_path))
    feed(one, [a + b for a, b in zip(later, earlier, strict=True)], Random(1))
    one.finish()
    assert stored(tmp_path) == [*in_order(earlier), *in_order(later)]
    assert one.left_out == 0
    assert files(tmp_path) == ["0915-1.parquet", "0915-1.parquet", "0916-1.parquet", "0916-1.parquet"]


def test_a_minute_that_cannot_be_written_is_not_forgotten(tmp_path: Path) -> None:
    store = TickStore(tmp_path)
    one = recorder(store)
    one.add(0, 0, one_tick(OPEN))
    blocked = tmp_path / str(TODAY)
    blocked.write_text("in the way")
    with pytest.raises(BadRecording, match="cannot be written"):
        one.finish()
    assert one.ticks == 0
    blocked.unlink()
    one.finish()
    assert len(stored(tmp_path)) == one.ticks == 1


def test_at_most_a_minute_of_frames_is_kept(tmp_path: Path) -> None:
    log, one = session(minutes(10, every=1)), recorder(TickStore(tmp_path))
    a_minute = max(
        sum(1 for clock, _ in in_order(log) if start <= clock <= start + 60) for start in minutes(10, every=60)
    )
    for offset in range(max(map(len, log))):
        for partition in range(PARTITIONS):
            if offset < len(log[partition]):
                one.add(partition, offset, log[partition][offset])
        assert sum(map(len, one._frames.values())) <= a_minute + PARTITIONS * 10


def test_partitions_that_run_ahead_wait_for_the_slowest(tmp_path: Path) -> None:
    one = recorder(TickStore(tmp_path))
    assert one.ahead({0, 1, 2}) == set()
    one.add(0, 0, encoded(frame(OPEN, received_ns=5)))
    assert one.ahead({0, 1, 2}) == {0}
    one.add(1, 0, encoded(frame(OPEN + 59)))
    one.add(2, 0, encoded(frame(OPEN + 60)))
    assert one.ahead({0, 1, 2}) == {2}
    assert one.ahead({1, 2}) == set()  # nothing is left to read of the slowest
    assert one.ahead({2}) == set()
    assert one.ahead(set()) == set()
    one.add(1, 1, encoded(frame(OPEN, (), "a later run", OPEN * 10**9 + 100 * 10**9)))
    assert one.ahead({0, 1, 2}) == {1, 2}


def test_the_day_is_the_one_every_partition_has_come_to(tmp_path: Path) -> None:
    one = recorder(TickStore(tmp_path))
    assert one.day is None
    for partition in range(PARTITIONS):
        one.add(partition, 0, encoded(frame(OPEN)))
    one.add(0, 1, encoded(frame(OPEN + DAY)))
    assert one.day == TODAY
    for partition in range(1, PARTITIONS):
        one.add(partition, 1, encoded(frame(OPEN + DAY)))
    assert one.day == trading_day(OPEN + DAY)
