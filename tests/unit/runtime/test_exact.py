"""The corrected consumer, fed by hand: what is handed out, what may be committed, whom a rebalance waits for."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka.errors import IllegalStateError
from faust.types import TP

from faust_app.runtime import exact
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.exact import (
    CORRECTED,
    Batch,
    ExactConsumer,
    ExactRecovery,
    ExactTableManager,
    ExactTransport,
    IdempotentProducer,
    check_versions,
)
from tests.unit.runtime.loop_fakes import until

TICKS, FILLS, CHANGELOG = TP("market.ticks", 0), TP("paper.orders.filled", 0), TP("app-orders-changelog", 0)


def new_app(folder: Path) -> Any:
    app = faust.App(
        "exact-test",
        broker="kafka://127.0.0.1:1",
        datadir=str(folder),
        TableManager=ExactTableManager,
        topic_allow_declare=False,
    )
    app.finalize()
    return app


class Thread:
    """The consumer's thread: where it was told to seek."""

    def __init__(self) -> None:
        self.seeks: list[dict[TP, int]] = []
        self.to_beginning: list[TP] = []
        self.committed: dict[TP, int | None] = {}
        self.commits: list[dict[TP, int]] = []
        self.commit_succeeds = True

    async def seek_wait(self, partitions: dict[TP, int]) -> None:
        self.seeks.append(dict(partitions))

    async def seek_to_committed(self) -> dict[TP, int | None]:
        return dict(self.committed)

    async def seek_to_beginning(self, *partitions: TP) -> None:
        self.to_beginning += partitions

    async def commit(self, offsets: dict[TP, Any]) -> bool:
        self.commits.append({tp: getattr(offset, "offset", offset) for tp, offset in offsets.items()})
        return self.commit_succeeds

    def highwater(self, tp: TP) -> int:
        return 1000

    async def highwaters(self, *partitions: TP) -> dict[TP, int]:
        return dict.fromkeys(partitions, 1000)

    def assignment(self) -> set[TP]:
        return set(self.committed)


class Fed:
    """A consumer and the batches its thread will fetch."""

    def __init__(self, app: Any) -> None:
        self.app = app
        transport = ExactTransport(app.conf.broker_consumer, app)
        self.consumer: Any = transport.create_consumer(
            callback=noted([], ""), on_partitions_revoked=noted([], ""), on_partitions_assigned=noted([], "")
        )
        self.thread = self.consumer._thread = Thread()
        self.batches: list[Batch] = []
        self.consumer._wait_next_records = self._next
        self.consumer.flow_active = True
        app._consumer = self.consumer
        app.__dict__["consumer"] = self.consumer

    async def _next(self, timeout: float) -> tuple[Any, Any]:
        return (self.batches.pop(0) if self.batches else None), None

    def feed(self, tp: TP, start: int | None, *offsets: int, end: int | None = None) -> None:
        """One fetched batch: from position `start` up to `end`."""
        batch = Batch({tp: [record(tp, offset) for offset in offsets]})
        batch.starts = {tp: start}
        batch.ends = {tp: offsets[-1] + 1 if end is None else end}
        self.batches.append(batch)

    async def read(self) -> list[Any]:
        """Messages handed out by one round."""
        return [message async for _, message in self.consumer.getmany(1.0)]

    def committable(self, tp: TP) -> int | None:
        return self.consumer._new_offset(tp)  # type: ignore[no-any-return]


def record(tp: TP, offset: int) -> Any:
    return SimpleNamespace(
        topic=tp.topic,
        partition=tp.partition,
        offset=offset,
        timestamp=0,
        timestamp_type=0,
        headers=(),
        key=b"k",
        value=b"v",
        checksum=None,
        serialized_key_size=1,
        serialized_value_size=1,
    )


@pytest.fixture
async def fed(tmp_path: Path) -> Fed:
    return Fed(new_app(tmp_path))


def offsets(messages: list[Any]) -> list[int]:
    return [message.offset for message in messages]


async def test_fausts_acknowledgement_says_nothing_about_effects(fed: Fed) -> None:
    fed.consumer.offsets.seek(TICKS, 5)
    fed.feed(TICKS, 5, 5, 6)
    first, second = await fed.read()
    for message in (first, second):
        fed.consumer.begin(message)
        fed.consumer.ack(message)
    assert fed.committable(TICKS) is None
    fed.consumer.complete(second)
    assert fed.committable(TICKS) is None, "the first one is still in hand"
    fed.consumer.complete(first)
    assert fed.committable(TICKS) == 7


async def test_skipped_message_is_never_committed(fed: Fed) -> None:
    """Faust acknowledges what it drops while the flow is stopped; nobody has begun it."""
    fed.consumer.offsets.seek(TICKS, 5)
    fed.feed(TICKS, 5, 5)
    (message,) = await fed.read()
    fed.consumer.ack(message)
    assert fed.committable(TICKS) is None


async def test_batch_from_elsewhere_is_fetched_again(fed: Fed) -> None:
    fed.consumer.offsets.seek(TICKS, 5)
    fed.feed(TICKS, 8, 8, 9)
    assert await fed.read() == []
    assert fed.thread.seeks == [{TICKS: 5}]
    fed.feed(TICKS, 5, 5, 6)
    assert offsets(await fed.read()) == [5, 6]


async def test_partition_that_fits_is_read_beside_one_that_does_not(fed: Fed) -> None:
    fed.consumer.offsets.seek(TICKS, 5)
    fed.consumer.offsets.seek(FILLS, 1)
    batch = Batch({TICKS: [record(TICKS, 9)], FILLS: [record(FILLS, 1)]})
    batch.starts, batch.ends = {TICKS: 9, FILLS: 1}, {TICKS: 10, FILLS: 2}
    fed.batches.append(batch)
    assert [(message.topic, message.offset) for message in await fed.read()] == [(FILLS.topic, 1)]
    assert fed.thread.seeks == [{TICKS: 5}]


async def test_partition_lost_meanwhile_does_not_stop_the_rest(fed: Fed, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(partitions: dict[TP, int]) -> None:
        raise IllegalStateError("not assigned")

    monkeypatch.setattr(fed.thread, "seek_wait", lost)
    fed.consumer.offsets.seek(TICKS, 5)
    fed.feed(TICKS, 8, 8)
    assert await fed.read() == []


async def test_seek_in_the_middle_of_a_batch_drops_its_rest(fed: Fed) -> None:
    fed.consumer.offsets.seek(TICKS, 5)
    fed.thread.committed = {TICKS: 5}
    fed.feed(TICKS, 5, 5, 6, 7)
    seen = []
    async for _, message in fed.consumer.getmany(1.0):
        seen.append(message.offset)
        await fed.consumer.perform_seek()
    assert seen == [5]
    assert fed.committable(TICKS) is None
    assert fed.consumer.offsets.expected(TICKS) == 5


@pytest.mark.parametrize("what", ["flow", "generation"])
async def test_rebalance_in_the_middle_of_a_batch_drops_its_rest(fed: Fed, what: str) -> None:
    fed.consumer.offsets.seek(TICKS, 5)
    fed.feed(TICKS, 5, 5, 6, 7)
    seen = []
    async for _, message in fed.consumer.getmany(1.0):
        seen.append(message.offset)
        if what == "flow":
            fed.consumer.flow_active = False
        else:
            fed.app.consumer_generation_id += 1
    assert seen == [5]


async def test_holes_at_the_end_of_a_batch_are_passed(fed: Fed) -> None:
    fed.consumer.offsets.seek(TICKS, 5)
    fed.feed(TICKS, 5, 5, 6, end=9)
    for message in await fed.read():
        fed.consumer.complete(message)
    assert fed.committable(TICKS) == 9
    fed.feed(TICKS, 9, 9)
    assert offsets(await fed.read()) == [9]


async def test_position_zero_and_no_position_start_at_the_logs_beginning(fed: Fed) -> None:
    fed.thread.committed = {TICKS: 0, FILLS: None, TP("paper.pnl.snapshots", 0): 7, CHANGELOG: 3}
    fed.consumer._is_changelog_tp = lambda tp: tp == CHANGELOG
    await fed.consumer.perform_seek()
    assert set(fed.thread.to_beginning) == {TICKS, FILLS}
    assert fed.consumer.offsets.expected(TP("paper.pnl.snapshots", 0)) == 7
    assert fed.consumer.offsets.expected(CHANGELOG) is None
    fed.feed(FILLS, 2, 2)
    assert offsets(await fed.read()) == [2], "the log may begin anywhere"


async def test_messages_read_and_not_handled_are_behind_and_changelogs_are_not(fed: Fed) -> None:
    fed.consumer._is_changelog_tp = lambda tp: tp == CHANGELOG
    assert await fed.consumer.behind() is None
    fed.consumer.offsets.seek(CHANGELOG, 3)
    fed.consumer.offsets.seek(FILLS, None)
    assert await fed.consumer.behind() is None, "where the group stands nobody knows yet"
    fed.consumer.offsets.seek(TICKS, 995)
    fed.feed(TICKS, 995, 995, 996)
    first, second = await fed.read()
    fed.consumer.complete(second)
    assert await fed.consumer.behind() == 5
    fed.consumer.complete(first)
    assert await fed.consumer.behind() == 3


async def test_commit_that_kafka_refused_is_tried_again(fed: Fed) -> None:
    fed.consumer.offsets.seek(TICKS, 5)
    fed.feed(TICKS, 5, 5)
    (message,) = await fed.read()
    fed.consumer.complete(message)
    fed.thread.commit_succeeds = False
    await fed.consumer._commit({TICKS: 6})
    assert fed.committable(TICKS) == 6
    fed.thread.commit_succeeds = True
    await fed.consumer._commit({TICKS: 6})
    assert fed.committable(TICKS) is None


async def test_rebalance_waits_for_what_is_worked_on_and_no_longer(fed: Fed) -> None:
    """Whatever Faust's streams have let go of meanwhile: the compiled one empties the set of messages by itself."""
    fed.consumer.offsets.seek(TICKS, 5)
    fed.feed(TICKS, 5, 5, 6, 7)
    first, second, _ = await fed.read()
    fed.consumer.begin(first)
    fed.consumer.begin(second)
    fed.consumer._unacked_messages.clear()
    waiting = asyncio.create_task(fed.consumer.wait_empty())
    for done in (lambda: fed.consumer.complete(first), lambda: fed.consumer.abandon(second)):
        await until(lambda: fed.consumer._waiting_for_ack is not None)
        assert not waiting.done()
        done()
    await asyncio.wait_for(waiting, 5)
    assert fed.committable(TICKS) == 6, "what was abandoned comes again"


async def test_copy_from_before_a_rebalance_commits_nothing(fed: Fed) -> None:
    fed.consumer.offsets.seek(TICKS, 5)
    fed.feed(TICKS, 5, 5)
    (stale,) = await fed.read()
    fed.consumer.begin(stale)
    fed.thread.committed = {TICKS: 5}
    await fed.consumer.perform_seek()
    fed.consumer.complete(stale)
    fed.feed(TICKS, 5, 5)
    (again,) = await fed.read()
    assert fed.committable(TICKS) is None
    fed.consumer.complete(again)
    assert fed.committable(TICKS) == 6


async def test_consumption_resumes_after_queues_are_clear_and_positions_are_back(fed: Fed) -> None:
    """Stock Faust resumes first and clears afterwards: what arrives in between is lost."""
    log: list[str] = []
    app, consumer = fed.app, fed.consumer
    fed.thread.committed = {TICKS: 5}
    consumer.stop_flow = lambda: log.append("stop")
    consumer.resume_flow = lambda: log.append("flow")
    consumer.resume_partitions = lambda tps: log.append(f"resume {sorted(tp.topic for tp in tps)}")
    consumer.assignment = lambda: {TICKS, CHANGELOG}
    consumer._is_changelog_tp = lambda tp: tp == CHANGELOG
    seek = consumer.perform_seek

    async def noted_seek() -> None:
        log.append("seek")
        await seek()

    consumer.perform_seek = noted_seek
    app.flow_control.suspend = lambda: log.append("suspend")
    app.flow_control.resume = lambda: log.append("clear")
    app._fetcher = SimpleNamespace(maybe_start=noted(log, "fetch"))
    app.on_rebalance_end = lambda: log.append("end")
    recovery: Any = app.tables.recovery
    assert isinstance(recovery, ExactRecovery)
    recovery._is_changelog_tp = consumer._is_changelog_tp
    app.consumer_generation_id = 3
    await recovery._resume_consumption(3)
    assert log == ["stop", "suspend", "seek", "resume ['market.ticks']", "clear", "flow", "fetch", "end"]
    log.clear()
    await recovery._resume_consumption(2)
    assert log == [], "a newer rebalance has begun"


def noted(log: list[str], what: str) -> Any:
    async def note() -> None:
        log.append(what)

    return note


async def test_producer_is_idempotent_and_waits_for_every_replica(fed: Fed) -> None:
    producer = ExactTransport(fed.app.conf.broker_producer, fed.app).create_producer()
    assert isinstance(producer, IdempotentProducer)
    made = producer._new_producer()
    try:
        assert made._txn_manager is not None
        assert made._txn_manager.transactional_id is None
        assert made._sender._acks == -1
    finally:
        await made.stop()


def test_installed_versions_are_the_corrected_ones() -> None:
    check_versions()
    assert {package: version(package) for package in CORRECTED} == CORRECTED


@pytest.mark.parametrize("package", sorted(CORRECTED))
def test_any_other_version_refuses_to_start(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    found = defaultdict(str, CORRECTED)
    found[package] = "9.9.9"
    monkeypatch.setattr(exact, "version", found.__getitem__)
    with pytest.raises(ConfigurationError, match=rf"{package} is 9.9.9, but .* {CORRECTED[package]}"):
        check_versions()


def test_pins_are_the_corrected_versions() -> None:
    project = (Path(__file__).resolve().parents[3] / "pyproject.toml").read_text()
    for package, pinned in CORRECTED.items():
        assert any(package in line and f"=={pinned}" in line for line in project.splitlines())


async def test_cancelled_round_hands_out_nothing_more(fed: Fed) -> None:
    fed.consumer.offsets.seek(TICKS, 5)
    fed.consumer.flow_active = False
    fed.feed(TICKS, 5, 5)
    assert await fed.read() == []
    assert fed.consumer.offsets.expected(TICKS) == 5
    await asyncio.sleep(0)


def test_consumer_is_the_corrected_one() -> None:
    assert ExactTransport.Consumer is ExactConsumer
