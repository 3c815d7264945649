"""The consume loop: nothing is completed before its effects are durable, and every message has exactly one end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
from faust.exceptions import ProducerSendError
from prometheus_client import REGISTRY

from faust_app.runtime.consume import Decision, Record
from faust_app.runtime.errors import DecodeError, NewerVersion, TransientError
from faust_app.runtime.topics import DLQ
from tables.journal import Output
from tables.states import StateTable
from tests.unit.runtime.loop_fakes import TOPIC, Around, Died, Message, Stream, consume, handler_of, until

OUT = "paper.signals.validated"


class Count(msgspec.Struct):
    """State of one key."""

    handled: int = 0


@pytest.fixture
async def around(monkeypatch: pytest.MonkeyPatch) -> Around:
    found = Around()
    monkeypatch.setattr("faust_app.runtime.consume.die", found.die)
    return found


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds the loop asked to wait; it waits no longer than a turn."""
    asked: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        asked.append(seconds)
        await sleep(0)

    monkeypatch.setattr("faust_app.runtime.consume.asyncio.sleep", noted)
    return asked


def echo(record: Record) -> Decision:
    return Decision([Output(OUT, record.key, record.value)])


def failing(error: Exception, times: int = 1_000_000) -> Callable[[Record], Awaitable[Decision]]:
    left = [times]

    async def handle(record: Record) -> Decision:
        left[0] -= 1
        if left[0] >= 0:
            raise error
        return echo(record)

    return handle


def metric(name: str, around: Around, topic: str = TOPIC, **labels: str) -> float:
    labels = {"stage": around.stage, "broker": "paper", "topic": topic, **labels}
    return REGISTRY.get_sample_value(f"alpha_panda_{name}", {k: v for k, v in labels.items() if v}) or 0.0


def headers(output: Output) -> dict[str, str]:
    return {name: value.decode() for name, value in output.headers}


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
    assert metric("messages_handled_total", around) == 20


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
    assert metric("duplicates_suppressed_total", around) == 1


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


async def test_transient_error_is_tried_again_with_growing_waits(around: Around, waits: list[float]) -> None:
    loop = around.loop(failing(TransientError("away"), times=6), retry_first_seconds=0.1, retry_most_seconds=1.0)
    await consume(loop, Stream(Message(3), Message(4)), lambda: len(around.offsets("complete")) == 2)
    assert [wait for wait in waits if wait >= 0.1] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert len(around.sent) == 2
    assert around.offsets("complete") == [3, 4]
    assert not around.deaths


async def test_worker_is_not_ready_while_a_dependency_is_away(around: Around) -> None:
    back = asyncio.Event()

    async def handle(record: Record) -> Decision:
        if not back.is_set():
            raise TransientError("PostgreSQL is away")
        return echo(record)

    running = asyncio.create_task(around.loop(handle).run(stream := Stream(Message(0))))
    await until(lambda: around.state.reasons)
    assert list(around.state.reasons.values()) == ["PostgreSQL is away"]
    assert around.offsets("complete") == []
    back.set()
    await until(lambda: around.offsets("complete") == [0])
    assert around.state.reasons == {}
    stream.close()
    await running


async def test_success_on_one_topic_does_not_hide_that_another_waits(around: Around) -> None:
    waiting = asyncio.create_task(around.loop(failing(TransientError("away"))).run(Stream(Message(0))))
    await until(lambda: around.state.reasons)
    other = around.loop(handler_of(echo), topic="paper.orders.filled")
    stream = Stream(Message(1, topic="paper.orders.filled"))
    running = asyncio.create_task(other.run(stream))
    await until(lambda: around.offsets("complete") == [1])
    assert list(around.state.reasons.values()) == ["away"]
    waiting.cancel()
    stream.close()
    await running


async def test_retries_are_counted_by_what_was_away(around: Around) -> None:
    def away(with_cause: bool) -> TransientError:
        error = TransientError("away")
        error.__cause__ = ConnectionRefusedError() if with_cause else None
        return error

    for error in (away(True), away(False)):
        around.log.clear()
        await consume(around.loop(failing(error, 2)), Stream(Message(0)), lambda: around.offsets("complete"))
    assert metric("retries_total", around, topic="", dependency="ConnectionRefusedError") == 2
    assert metric("retries_total", around, topic="", dependency="TransientError") == 2


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DecodeError("not JSON"), "decode"),
        (NewerVersion("version 9 is newer"), "version"),
        (ZeroDivisionError("a bug"), "handler"),
        (RecursionError("deep"), "handler"),
    ],
)
async def test_poison_goes_to_the_dead_letters_and_the_worker_goes_on(
    around: Around, error: Exception, reason: str
) -> None:
    stream = Stream(Message(41, b"\xff\x00poison", b"\x00key", partition=3), Message(42, b"good", partition=3))
    await consume(around.loop(failing(error, times=1)), stream, lambda: len(around.offsets("complete")) == 2)
    dead, good = around.sent
    assert (dead.topic, dead.key, dead.value) == (TOPIC + DLQ, b"\x00key", b"\xff\x00poison")
    found = headers(dead)
    assert (found["origin-topic"], found["origin-partition"], found["origin-offset"]) == (TOPIC, "3", "41")
    assert (found["reason"], found["stage"]) == (reason, around.stage)
    assert str(error) in found["error"]
    assert good.value == b"good"
    assert around.offsets("complete") == [41, 42]
    assert around.log.index("acknowledged") < around.log.index("complete 41")
    assert metric("dead_letters_total", around, reason=reason) == 1


async def test_poison_is_completed_only_when_its_dead_letter_is_acknowledged(around: Around) -> None:
    around.gate = asyncio.Event()
    running = asyncio.create_task(around.loop(failing(DecodeError("x"))).run(stream := Stream(Message(1))))
    await until(lambda: "send 1" in around.log)
    assert around.offsets("complete") == []
    around.gate.set()
    await until(lambda: around.offsets("complete") == [1])
    stream.close()
    await running


def refused(error: Exception) -> ProducerSendError:
    """As Faust's producer wraps what aiokafka raises at once."""
    wrapped = ProducerSendError("Error while sending")
    wrapped.__cause__ = error
    return wrapped


@pytest.mark.parametrize(
    "error",
    [
        MessageSizeTooLargeError("too large"),
        refused(MessageSizeTooLargeError("too large")),
        TopicAuthorizationFailedError("not allowed"),
        AssertionError("Unrecognized partition"),
    ],
    ids=repr,
)
async def test_dead_letter_that_cannot_be_sent_kills_the_worker(around: Around, error: Exception) -> None:
    around.errors = [error] * 100
    running = asyncio.create_task(around.loop(failing(DecodeError("poison"))).run(Stream(Message(9))))
    await until(lambda: around.deaths)
    assert around.offsets("complete") == [], "an offset that is not completed is never committed"
    assert "delivery failed" in around.deaths[0][0]
    running.cancel()


@pytest.mark.parametrize(
    "error",
    [
        KafkaConnectionError("gone"),
        KafkaTimeoutError(),
        refused(KafkaTimeoutError()),
        refused(KafkaConnectionError("gone")),
    ],
    ids=repr,
)
async def test_while_kafka_is_away_outputs_are_sent_again(around: Around, waits: list[float], error: Exception) -> None:
    around.errors = [error] * 3
    loop = around.loop(handler_of(echo), retry_first_seconds=0.1, retry_most_seconds=0.3)
    reasons: list[dict[str, str]] = []
    around.state.degraded = lambda *what: reasons.append(dict([what]))  # type: ignore[method-assign,assignment]
    await consume(loop, Stream(Message(1)), lambda: around.offsets("complete") == [1])
    assert [output.value for output in around.sent] == [b"value"]
    assert [wait for wait in waits if wait >= 0.1] == [0.1, 0.2, 0.3]
    assert all("Kafka" in text for reason in reasons for text in reason.values())
    assert len(reasons) == 3
    assert metric("send_errors_total", around, topic="") == 3
    assert not around.deaths


async def test_write_that_fails_kills_the_worker_before_anything_is_sent(around: Around) -> None:
    around.table.failing = KafkaTimeoutError()

    def decide(record: Record) -> Decision:
        around.table["state"] = b"new"
        return echo(record)

    running = asyncio.create_task(around.loop(handler_of(decide)).run(Stream(Message(9))))
    await until(lambda: around.deaths)
    assert around.sent == []
    assert around.offsets("complete") == []
    running.cancel()


async def test_brake_kills_the_worker_instead_of_diverting_everything(around: Around) -> None:
    stream = Stream(*(Message(offset) for offset in range(10)))
    with pytest.raises(Died, match="too many dead letters"):
        await consume(around.loop(failing(DecodeError("x")), brake_consecutive=3), stream, lambda: False)
    assert around.offsets("begin") == [0, 1, 2, 3]
    assert 3 not in around.offsets("complete")


async def test_good_messages_between_dead_letters_release_the_brake(around: Around) -> None:
    def decide(record: Record) -> Decision:
        if record.offset % 2:
            raise DecodeError("odd")
        return echo(record)

    stream = Stream(*(Message(offset) for offset in range(40)))
    loop = around.loop(handler_of(decide), brake_consecutive=1)
    await consume(loop, stream, lambda: len(around.offsets("complete")) == 40)
    assert not around.deaths


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


async def test_unexpected_error_of_the_stream_kills_the_worker(around: Around) -> None:
    class Broken:
        async def events(self) -> Any:
            raise RuntimeError("broken")
            yield

    with pytest.raises(Died, match="the consume loop failed"):
        await around.loop(handler_of(echo)).run(Broken())


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
