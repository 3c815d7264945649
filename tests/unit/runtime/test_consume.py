"""The consume loop: nothing is completed before its effects are durable, and every message has exactly one end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from faust_app.runtime.consume import Decision, Record
from faust_app.runtime.log_context import correlation_id
from tables.journal import Output
from tables.states import StateTable
from tests.unit.runtime.loop_fakes import OUT, TOPIC, Around, Message, Stream, consume, echo, handler_of, until


class Count(msgspec.Struct):
    """State of one key."""

    handled: int = 0


async def test_messages_are_decided_one_after_the_other(around: Around) -> None:
    deciding = 0

    async def handle(record: Record) -> Decision:
        nonlocal deciding
        deciding += 1
        assert deciding == 1
        await asyncio.sleep(0)
        deciding -= 1
        return echo(record)

    stream = Stream(*(Message(offset, str(offset).encode()) for offset in range(20)))
    await consume(around.loop(handle), stream, lambda: len(around.offsets("complete")) == 20)
    assert [output.value for output in around.sent] == [str(offset).encode() for offset in range(20)]
    assert around.offsets("complete") == list(range(20))
    assert around.metric("messages_handled_total") == 20


async def test_message_is_completed_only_after_kafka_has_its_outputs(around: Around) -> None:
    around.gate = asyncio.Event()
    running = asyncio.create_task(around.loop(handler_of(echo)).run(stream := Stream(Message(7))))
    await until(lambda: "send 1" in around.log)
    assert around.offsets("complete") == []
    around.gate.set()
    await until(lambda: around.offsets("complete") == [7])
    assert around.log == ["begin 7", "send 1", "acknowledged", "complete 7"]
    stream.close()
    await running


async def test_outputs_are_sent_only_after_the_changelog_has_the_writes(around: Around) -> None:
    around.table.holding = True

    def decide(record: Record) -> Decision:
        around.table["state"] = b"new"
        return echo(record)

    running = asyncio.create_task(around.loop(handler_of(decide)).run(stream := Stream(Message(1))))
    await until(lambda: around.table.held)
    await asyncio.sleep(0.01)
    assert around.log == ["begin 1", "write state"]
    around.table.acknowledge()
    await until(lambda: around.offsets("complete") == [1])
    assert around.log == ["begin 1", "write state", "send 1", "acknowledged", "complete 1"]
    stream.close()
    await running


async def test_journal_and_state_are_durable_before_the_outputs_are_sent(around: Around) -> None:
    states = StateTable(around.table, Count)

    def decide(record: Record) -> Decision:
        with states.transaction(record.source, record.offset) as change:
            if change.applied("a"):
                return Decision(change.commit(), duplicate=True)
            state = change.get("a") or Count()
            state.handled += 1
            change.put("a", state, [Output(OUT, b"a", str(state.handled).encode())])
            return Decision(change.commit())

    stream = Stream(Message(1), Message(1), Message(2))
    await consume(around.loop(handler_of(decide)), stream, lambda: len(around.offsets("complete")) == 3)
    assert around.log[:3] == ["begin 1", f"write #journal/{TOPIC}/0/1", "write a"]
    assert around.log.index("write a") < around.log.index("send 3")
    assert [output.value for output in around.sent] == [b"1", b"1", b"2"], "a redelivery repeats its outputs"
    assert around.metric("duplicates_suppressed_total") == 1


async def test_burst_waits_for_kafka_once(around: Around) -> None:
    around.gate = asyncio.Event()
    running = asyncio.create_task(around.loop(handler_of(echo)).run(stream := Stream(Message(0))))
    await until(lambda: "send 1" in around.log)
    stream.put(*(Message(offset) for offset in range(1, 50)))
    await until(lambda: around.offsets("begin") == list(range(50)))
    around.gate.set()
    await until(lambda: len(around.offsets("complete")) == 50)
    assert [line for line in around.log if line.startswith("send")] == ["send 1", "send 49"]
    stream.close()
    await running


async def test_decided_messages_in_hand_are_bounded(around: Around) -> None:
    around.gate = asyncio.Event()
    stream = Stream(*(Message(offset) for offset in range(2000)))
    running = asyncio.create_task(around.loop(handler_of(echo)).run(stream))
    await until(lambda: len(around.offsets("begin")) > 256)
    await asyncio.sleep(0.02)
    assert len(around.offsets("begin")) < 600
    around.gate.set()
    await until(lambda: len(around.offsets("complete")) == 2000)
    stream.close()
    await running


async def test_callback_runs_only_after_delivery(around: Around) -> None:
    around.gate = asyncio.Event()
    called: list[int] = []
    decide = handler_of(lambda record: Decision(echo(record).outputs, delivered=lambda: called.append(record.offset)))
    running = asyncio.create_task(around.loop(decide).run(stream := Stream(Message(5))))
    await until(lambda: "send 1" in around.log)
    assert called == []
    around.gate.set()
    await until(lambda: called == [5])
    stream.close()
    await running


async def test_lines_logged_meanwhile_belong_to_the_message_at_hand(around: Around) -> None:
    deciding, delivered, between = [], [], []

    class Noting(Stream):
        async def events(self) -> AsyncIterator[Any]:
            async for event in super().events():
                yield event
                between.append(correlation_id())

    async def handle(record: Record) -> Decision:
        await asyncio.sleep(0)
        deciding.append(correlation_id())
        decision = echo(record)
        decision.delivered = lambda: delivered.append(correlation_id())
        return decision

    chains = [f"chain {number}" for number in range(3)]
    values = [*(msgspec.json.encode({"correlation_id": one}) for one in chains), b"garbage"]
    stream = Noting(*(Message(offset, value) for offset, value in enumerate(values)))
    await consume(around.loop(handle), stream, lambda: len(around.offsets("complete")) == 4)
    assert deciding == delivered == [*chains, None]
    assert between == [None] * 4


async def test_message_without_outputs_is_completed(around: Around) -> None:
    await consume(
        around.loop(handler_of(lambda _: Decision())), Stream(Message(1)), lambda: around.offsets("complete") == [1]
    )
    assert around.sent == []


async def test_handler_sees_topic_offset_bytes_and_headers(around: Around) -> None:
    seen: list[Record] = []

    def decide(record: Record) -> Decision:
        seen.append(record)
        return Decision()

    given = [None, {"a": b"1"}, [("a", b"1")], ()]
    stream = Stream(*(Message(offset, headers=value) for offset, value in enumerate(given)))
    await consume(around.loop(handler_of(decide)), stream, lambda: len(seen) == 4)
    assert [record.headers for record in seen] == [{}, {"a": b"1"}, {"a": b"1"}, {}]
    assert (seen[0].source, seen[3].offset, seen[0].key, seen[0].value) == (f"{TOPIC}/0", 3, b"key", b"value")


async def test_when_the_stream_ends_nothing_undelivered_is_completed(around: Around) -> None:
    around.gate = asyncio.Event()
    stream = Stream(*(Message(offset) for offset in range(5)))
    running = asyncio.create_task(around.loop(handler_of(echo)).run(stream))
    await until(lambda: around.offsets("begin") == list(range(5)))
    stream.close()
    await running
    assert around.offsets("complete") == []
    assert sorted(around.offsets("abandon")) == list(range(5)), "a rebalance waits for what nobody works on any more"


async def test_when_the_loop_is_cancelled_no_message_stays_in_flight(around: Around) -> None:
    around.gate = asyncio.Event()
    stuck = asyncio.Event()

    async def handle(record: Record) -> Decision:
        if record.offset == 3:
            await stuck.wait()
        return echo(record)

    stream = Stream(*(Message(offset) for offset in range(5)))
    running = asyncio.create_task(around.loop(handle).run(stream))
    await until(lambda: around.offsets("begin") == [0, 1, 2, 3])
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert around.offsets("complete") == []
    assert sorted(around.offsets("abandon")) == [0, 1, 2, 3]
    assert not around.deaths


async def test_loop_that_is_started_again_goes_on(around: Around) -> None:
    loop = around.loop(handler_of(echo))
    for offset in (1, 2):
        await consume(loop, Stream(Message(offset)), lambda: offset in around.offsets("complete"))
    assert around.offsets("complete") == [1, 2]


@pytest.mark.parametrize(
    ("point", "before"),
    [
        ("decided", ["begin 1", "write state"]),
        ("written", ["begin 1", "write state"]),
        ("sent", ["begin 1", "write state", "send 1", "acknowledged"]),
    ],
)
async def test_failpoint_is_reached_between_the_steps(
    around: Around, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, point: str, before: list[str]
) -> None:
    killed: list[list[str]] = []
    monkeypatch.setattr("faust_app.runtime.failpoints.os.kill", lambda *_: killed.append(list(around.log)))

    def decide(record: Record) -> Decision:
        around.table["state"] = b"new"
        return echo(record)

    loop = around.loop(handler_of(decide), failpoint=f"{point}:1@{tmp_path}")
    await consume(loop, Stream(Message(1)), lambda: around.offsets("complete"))
    assert killed == [before]
    assert (tmp_path / f"{around.stage}.paper-{point}").exists()
