"""The Faust table on a real RocksDB, without Kafka: our bytes as they are, and every write can be awaited."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faust
import msgspec
import pytest
from aiokafka.errors import KafkaTimeoutError
from faust import streams
from faust.exceptions import ProducerSendError
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from tables import changelog
from tables.journal import Output
from tables.raw_key_table import ROCKSDB_OPTIONS, RawKeyTable, raw_table
from tables.states import StateTable

TOPIC = "paper.signals.raw"
Within = Callable[[int, int], None]


class Count(msgspec.Struct):
    """State of one key."""

    number: int = 0


class Kafka:
    """A producer whose answers the test gives."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bytes | None, int]] = []
        self.answers: list[asyncio.Future[Any]] = []

    async def send(
        self, topic: str, key: bytes, value: bytes | None, partition: int, *_: object
    ) -> asyncio.Future[Any]:
        self.sent.append((topic, key, value, partition))
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]

    async def acknowledge(self, count: int = 1) -> None:
        """Let the changelog have the next writes, at the offsets 0, 1, 2 and so on."""
        await turn()
        open_ones = [(offset, one) for offset, one in enumerate(self.answers) if not one.done()]
        for offset, answer in open_ones[:count]:
            answer.set_result(SimpleNamespace(offset=offset))
        await turn()


async def turn() -> None:
    """Let everything that is ready run."""
    for _ in range(5):
        await asyncio.sleep(0)


def new_app(folder: Path) -> faust.App:
    app = faust.App(
        "raw-key-table-test",
        store="rocksdb://",
        datadir=str(folder / "data"),
        Table=RawKeyTable,
        value_serializer="raw",
        topic_partitions=2,
    )
    app.finalize()
    (folder / "data" / "v1" / "tables").mkdir(parents=True, exist_ok=True)
    app._producer = Kafka()
    app.__dict__["consumer"] = SimpleNamespace(topic_partitions=lambda topic: 2)
    app.assignor.assigned_actives = lambda: {TP(f"{app.conf.id}-counts-changelog", number) for number in (0, 1)}
    return app


@pytest.fixture
async def table(tmp_path: Path) -> RawKeyTable:
    return raw_table(new_app(tmp_path), "counts", "counts for the test", 2)


@pytest.fixture
def within(table: RawKeyTable) -> Iterator[Within]:
    """Makes a message of a partition the one being handled."""
    kept: list[Any] = []

    def enter(partition: int, offset: int) -> None:
        message = ConsumerMessage(TOPIC, partition, offset, 0.0, 0, {}, b"key", b"value", None)
        event = table.app.create_event(b"key", b"value", {}, message)
        kept[:] = [event]
        streams._current_event.set(weakref.ref(event))

    yield enter
    streams._current_event.set(None)


@pytest.fixture
def kafka(table: RawKeyTable) -> Kafka:
    producer: Kafka = table.app.producer
    return producer


def stored(table: RawKeyTable, partition: int) -> dict[bytes, bytes]:
    """What RocksDB holds, Faust's own row with the changelog's offset included."""
    return {bytes(key): bytes(value) for key, value in table.data._db_for_partition(partition).items()}


async def test_key_and_value_are_stored_as_the_bytes_we_made(table: RawKeyTable, within: Within, kafka: Kafka) -> None:
    within(1, 5)
    table["paper:main"] = b"\x00\xff value"
    await kafka.acknowledge()
    assert kafka.sent == [(f"{table.app.conf.id}-counts-changelog", b"paper:main", b"\x00\xff value", 1)]
    assert table["paper:main"] == b"\x00\xff value"
    assert stored(table, 1) == {b"paper:main": b"\x00\xff value", table.data.offset_key: b"0"}


async def test_write_is_seen_at_once_and_stored_when_the_changelog_has_it(
    table: RawKeyTable, within: Within, kafka: Kafka
) -> None:
    """Otherwise a crash would leave rows that Kafka has never seen beside older ones that recovery brings back."""
    within(0, 5)
    table["state"] = b"1"
    table["state"] = b"2"
    table["applied"] = b""
    assert dict(table.items()) == {"state": b"2", "applied": b""}
    assert stored(table, 0) == {}
    await kafka.acknowledge()
    assert table["state"] == b"2"
    assert stored(table, 0) == {b"state": b"1", table.data.offset_key: b"0"}
    await kafka.acknowledge(2)
    assert stored(table, 0) == {b"state": b"2", b"applied": b"", table.data.offset_key: b"2"}
    assert dict(table.items()) == {"state": b"2", "applied": b""}


async def test_writes_of_one_decision_leave_together_in_their_order(
    table: RawKeyTable, within: Within, kafka: Kafka
) -> None:
    within(0, 5)
    for key in ("journal", "state", "applied"):
        table[key] = b"x"
    assert kafka.sent == []
    await turn()
    assert [key for _, key, _, _ in kafka.sent] == [b"journal", b"state", b"applied"]
    within(0, 6)
    table["state"] = b"y"
    await turn()
    assert [key for _, key, _, _ in kafka.sent[3:]] == [b"state"]


async def test_removal_is_seen_at_once_and_stored_when_the_changelog_has_it(
    table: RawKeyTable, within: Within, kafka: Kafka
) -> None:
    within(0, 5)
    table["a"] = b"1"
    await kafka.acknowledge()
    assert table.pop("a") == b"1"
    assert "a" not in table
    assert table.get("a") is None
    assert (list(table), len(table)) == ([], 0)
    assert b"a" in stored(table, 0)
    await kafka.acknowledge()
    assert stored(table, 0) == {table.data.offset_key: b"1"}
    assert [value for _, _, value, _ in kafka.sent] == [b"1", None]


async def test_write_that_kafka_refused_fails_and_is_not_stored(
    table: RawKeyTable, within: Within, kafka: Kafka
) -> None:
    within(0, 5)
    table["a"] = b"1"
    (future,) = table.take_pending_writes()
    await turn()
    kafka.answers[0].set_exception(ConnectionError("refused"))
    with pytest.raises(ConnectionError, match="refused"):
        await future
    assert stored(table, 0) == {}


async def test_write_that_cannot_be_handed_over_fails(
    table: RawKeyTable, within: Within, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise ConnectionError("closed")

    monkeypatch.setattr(kafka, "send", refuse)
    within(0, 5)
    table["a"] = b"1"
    with pytest.raises(ConnectionError, match="closed"):
        await asyncio.gather(*table.take_pending_writes())


async def test_write_that_kafka_has_no_room_for_waits_with_all_that_come_after(
    table: RawKeyTable, within: Within, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changelog, "AGAIN_SECONDS", 0)
    refusals, take = [KafkaTimeoutError(), KafkaTimeoutError()], kafka.send

    async def refuse_twice(*message: Any) -> asyncio.Future[Any]:
        if refusals:
            raise ProducerSendError("Error while sending") from refusals.pop()
        return await take(*message)

    monkeypatch.setattr(kafka, "send", refuse_twice)
    within(0, 5)
    for key in ("journal", "state"):
        table[key] = b"x"
    await kafka.acknowledge(2)
    await asyncio.gather(*table.take_pending_writes())
    assert [key for _, key, _, _ in kafka.sent] == [b"journal", b"state"]


async def test_write_acknowledged_after_partitions_moved_is_left_to_recovery(
    table: RawKeyTable, within: Within, kafka: Kafka
) -> None:
    within(0, 5)
    table["a"] = b"1"
    await turn()
    await table.on_rebalance(set(), set(), set())
    assert "a" not in table
    table["a"] = b"2"
    await kafka.acknowledge()
    assert (table["a"], stored(table, 0)) == (b"2", {})
    await kafka.acknowledge()
    assert stored(table, 0)[b"a"] == b"2"


async def test_unsettled_write_of_another_partition_is_not_seen(table: RawKeyTable, within: Within) -> None:
    within(0, 5)
    table["a"] = b"1"
    within(1, 5)
    assert "a" not in table


async def test_every_write_and_removal_can_be_awaited_once(table: RawKeyTable, within: Within, kafka: Kafka) -> None:
    within(1, 5)
    table["a"] = b"1"
    table["a"] = b"2"
    table.pop("a", None)
    futures = table.take_pending_writes()
    assert len(futures) == 3
    assert not any(future.done() for future in futures)
    await kafka.acknowledge(3)
    assert all(future.done() for future in futures)
    assert table.take_pending_writes() == []


async def test_removing_what_is_not_there_writes_nothing(table: RawKeyTable, within: Within) -> None:
    within(0, 1)
    table.pop("a", None)
    assert table.take_pending_writes() == []


async def test_write_goes_to_the_partition_of_the_message(table: RawKeyTable, within: Within, kafka: Kafka) -> None:
    for partition in (0, 1):
        within(partition, 1)
        table[f"key{partition}"] = b"x"
    await turn()
    assert [partition for _, _, _, partition in kafka.sent] == [0, 1]


async def test_table_is_not_written_outside_a_message(table: RawKeyTable) -> None:
    with pytest.raises(TypeError, match="outside of stream iteration"):
        table["a"] = b"1"


async def test_state_table_works_on_it(table: RawKeyTable, within: Within, kafka: Kafka) -> None:
    states = StateTable(table, Count)
    for offset in (1, 2):
        within(0, offset)
        with states.transaction(f"{TOPIC}/0", offset) as change:
            state = change.get("a") or Count()
            state.number += 1
            change.put("a", state, [Output("out", b"a", str(state.number).encode())])
            change.remember("signal", f"id{offset}", "2026-08-19")
            change.commit()
    states.forget()
    assert states.row("a") is not None
    assert dict(states.states()) == {"a": Count(2)}
    with states.transaction(f"{TOPIC}/0", 2) as change:
        assert change.applied("a")
        assert [one.value for one in change.commit()] == [b"2"]
    assert states.forget_days_before("2026-08-20") == 2
    assert not states.remembers("signal", "id1")
    await turn()
    assert [key.decode() for _, key, _, _ in kafka.sent[:3]] == [f"#journal/{TOPIC}/0/1", "a", "#applied/signal/id1"]


async def test_days_are_forgotten_in_the_partition_of_the_message_only(table: RawKeyTable, within: Within) -> None:
    """A removal goes to the changelog of the message's partition, so another partition's rows have to stay."""
    states = StateTable(table, Count)
    for partition in (0, 1):
        within(partition, 1)
        states.remember("fill", f"in {partition}", "2026-08-19")
    assert states.forget_days_before("2026-08-20") == 1
    assert not states.remembers("fill", "in 1")
    within(0, 2)
    assert states.remembers("fill", "in 0")


async def test_size_is_that_of_all_open_partitions(table: RawKeyTable, within: Within, kafka: Kafka) -> None:
    assert table.size_bytes == 0
    for partition in (0, 1):
        within(partition, 1)
        for number in range(20):
            table[f"{partition}/{number}"] = b"x" * 1000
    await kafka.acknowledge(40)
    assert 40 * 1000 < table.size_bytes < 4 << 20  # RocksDB takes memory by half megabytes


async def test_rocksdb_options_are_not_shared_between_tables(tmp_path: Path) -> None:
    before = dict(ROCKSDB_OPTIONS)
    app = new_app(tmp_path)
    one, other = (raw_table(app, name, "x", 2) for name in ("one", "other"))
    assert one.options is not other.options
    assert before == ROCKSDB_OPTIONS
    assert one.options["block_cache_size"] < 64 << 20
