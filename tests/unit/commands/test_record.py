"""`alpha-panda record`: reads on where it ended, keeps partitions in step, waits for a Kafka that goes away."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aiokafka
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from msgspec.structs import replace

from faust_app.commands import record
from faust_app.commands.cli import _run
from faust_app.runtime.codec import encode_frame
from faust_app.runtime.reference_data import ReferenceData
from models.messages.ticks import TickFrame
from recordings.recorder import TickRecorder
from recordings.store import TickStore
from tests.recorded import (
    DAY,
    INSTRUMENTS,
    KEYS,
    PARTITIONS,
    Log,
    decode,
    in_order,
    minutes,
    recorder,
    session,
    stored,
)
from tests.strategy_runs import OPEN
from tests.unit.runtime.configurations import configured
from trading.market.sessions import trading_day

TOPIC = "market.ticks"
PARTS = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]


class Message:
    def __init__(self, offset: int, value: bytes | None) -> None:
        self.offset, self.value = offset, value


class Kafka:
    """A consumer over a log, which gives at most `most` messages of a partition at once. Says when all was read."""

    def __init__(self, log: Log, most: Sequence[int] = (1000,) * PARTITIONS, first: int = 0) -> None:
        self.log, self.most, self.first = log, most, first
        self.done = asyncio.Event()
        self.on_done: Callable[[], object] = self.done.set
        self.positions: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        self.were_paused: set[int] = set()
        self.fails_after = 10**6
        self.polls = 0
        self.stopped = False

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        self.stopped = True

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self.positions = dict.fromkeys(partitions, -1)

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.first)

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {one: len(self.log[one.partition]) for one in partitions}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.positions[partition] = offset

    def highwater(self, partition: TopicPartition) -> int | None:
        return len(self.log[partition.partition])

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused |= set(partitions)
        self.were_paused |= {one.partition for one in partitions}

    def resume(self, *partitions: TopicPartition) -> None:
        self.paused -= set(partitions)

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Message]]:
        await asyncio.sleep(0)
        self.polls += 1
        if self.polls > self.fails_after:
            raise KafkaConnectionError("gone")
        found: dict[TopicPartition, list[Message]] = {}
        for one, at in self.positions.items():
            frames = self.log[one.partition]
            if one not in self.paused and at < len(frames):
                until = min(len(frames), at + self.most[one.partition])
                found[one] = [Message(offset, frames[offset]) for offset in range(at, until)]
                self.positions[one] = until
        if not found and all(at >= len(self.log[one.partition]) for one, at in self.positions.items()):
            self.on_done()
        return found


async def read(kafka: Kafka, store: TickStore, into: TickRecorder) -> None:
    await asyncio.wait_for(record.read(kafka, PARTS, store, into, kafka.done), 20)


async def test_everything_is_read_once_and_finished_days_become_one_file(tmp_path: Path) -> None:
    log = session([*minutes(2), *minutes(2, OPEN + DAY)])
    store, kafka = TickStore(tmp_path), Kafka(log, most=(3, 3, 3))
    one = recorder(store)
    await read(kafka, store, one)
    one.finish()
    assert stored(tmp_path) == in_order(log)
    assert (tmp_path / f"{trading_day(OPEN)}.parquet").exists()
    assert store.unfinished() == [trading_day(OPEN + DAY)]


async def test_a_partition_that_is_read_faster_waits_for_the_others(tmp_path: Path) -> None:
    log, most = session(minutes(12)), 0
    store, kafka = TickStore(tmp_path), Kafka(log, most=(6, 1, 6))
    one = recorder(store)
    take = one.add

    def watched(partition: int, offset: int, raw: bytes) -> None:
        nonlocal most
        take(partition, offset, raw)
        kept = [each.clock for frames in one._frames.values() for each in frames]
        most = max(most, max(kept, default=0) - min(kept, default=0))

    one.add = watched  # type: ignore[method-assign]
    await read(kafka, store, one)
    one.finish()
    assert kafka.were_paused >= {0, 2}
    assert 60 <= most <= 180
    assert stored(tmp_path) == in_order(log)


async def test_rubbish_is_skipped_and_the_rest_recorded(tmp_path: Path) -> None:
    log = session(minutes(1))
    broken = [[*frames, None, b"\xc1"] for frames in log]  # type: ignore[list-item]
    store = TickStore(tmp_path)
    one = TickRecorder(store, PARTITIONS, record_decode, KEYS)
    await read(Kafka(broken), store, one)
    one.finish()
    assert stored(tmp_path) == in_order(log)
    assert one.next_offsets == {number: len(frames) for number, frames in enumerate(broken)}


def record_decode(raw: bytes) -> TickFrame:
    """What the command decodes with."""
    from faust_app.runtime.codec import decode_frame

    return decode_frame(raw)


async def test_what_kafka_no_longer_has_is_a_gap_and_reading_goes_on(tmp_path: Path) -> None:
    log = session(minutes(3))
    store = TickStore(tmp_path)
    one = recorder(store)
    await read(Kafka(log, first=9), store, one)
    one.finish()
    assert stored(tmp_path) == in_order([frames[9:] for frames in log])
    again = recorder(TickStore(tmp_path))
    shorter = session(minutes(3, OPEN + DAY), run_id="again", began=1000)  # a topic that was made anew
    cut = [frames[:12] for frames in shorter]
    await read(Kafka(cut), store, again)
    again.finish()
    assert stored(tmp_path)[len(in_order([frames[9:] for frames in log])) :] == in_order(cut)


def test_frames_decode_as_the_feed_encodes_them() -> None:
    one = decode(session(minutes(1))[0][0])
    assert record_decode(encode_frame(one)) == one


def interrupt() -> None:
    """What Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> list[Kafka]:
    """The command with these consumers, one after the other, and instruments that need no database."""
    consumers: list[Kafka] = []

    async def load_instruments(_: ReferenceData) -> list[Any]:
        return INSTRUMENTS

    waiting = iter(range(100))
    monkeypatch.setattr(ReferenceData, "load_instruments", load_instruments)
    monkeypatch.setattr(aiokafka, "AIOKafkaConsumer", lambda **_: consumers[next(waiting)])
    monkeypatch.setattr(record, "settings", lambda: configured(kafka={"partitions": PARTITIONS}))
    monkeypatch.setattr(record, "AGAIN_SECONDS", 0.01)
    return consumers


def test_while_kafka_is_away_it_waits_and_nothing_is_doubled(
    command: list[Kafka], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = session(minutes(4))
    consumers = [Kafka(log, most=(7, 7, 7)) for _ in range(3)]
    for one in consumers[:2]:
        one.fails_after = 3
    consumers[2].on_done = interrupt
    command += consumers
    assert _run(["record", "--to", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert all(one.stopped for one in consumers)
    assert stored(tmp_path) == in_order(log)
    assert f"{len(in_order(log)):,} ticks recorded" in out


def test_a_kafka_that_was_never_there_is_one_sentence(
    command: list[Kafka], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Nowhere(Kafka):
        async def start(self) -> None:
            raise KafkaConnectionError("nobody answers")

    nowhere = Nowhere(session([]))
    command.append(nowhere)
    assert _run(["record", "--to", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert "does not answer" in err
    assert err.count("\n") == 1
    assert nowhere.stopped


def test_a_folder_that_cannot_be_written_is_one_sentence(
    command: list[Kafka], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert _run(["record", "--to", str(tmp_path / "file" / "folder")]) == 2
    err = capsys.readouterr().err
    assert "cannot be written" in err
    assert err.count("\n") == 1


def test_a_folder_without_its_instruments_is_one_sentence(
    command: list[Kafka], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    TickStore(tmp_path).write_minute(trading_day(OPEN), "0915", (), {}, {})
    assert _run(["record", "--to", str(tmp_path)]) == 2
    assert "holds no instruments" in capsys.readouterr().err


def test_instruments_of_before_are_kept(command: list[Kafka], tmp_path: Path) -> None:
    store = TickStore(tmp_path)
    store.write_instruments([replace(INSTRUMENTS[0], instrument_token=7)])
    store.write_minute(trading_day(OPEN), "0915", (), {}, {})
    command.append(Kafka(session(minutes(1))))
    command[0].on_done = interrupt
    assert _run(["record", "--to", str(tmp_path)]) == 0
    assert {one.instrument_token for one in store.read_instruments()} == {
        7,
        *(one.instrument_token for one in INSTRUMENTS),
    }
