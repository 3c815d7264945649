"""What goes wrong in the consume loop has three ends: tried again, dead-lettered, or the worker dies uncommitted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
from faust.exceptions import ProducerSendError

from faust_app.runtime.consume import Decision, Record
from faust_app.runtime.errors import DecodeError, NewerVersion, TransientError
from faust_app.runtime.topics import DLQ
from tables.journal import Output
from tests.unit.runtime.loop_fakes import (
    TOPIC,
    Around,
    Died,
    Message,
    Stream,
    consume,
    echo,
    failing,
    handler_of,
    until,
)


def headers(output: Output) -> dict[str, str]:
    return {name: value.decode() for name, value in output.headers}


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
    assert around.metric("retries_total", topic="", dependency="ConnectionRefusedError") == 2
    assert around.metric("retries_total", topic="", dependency="TransientError") == 2


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
    assert around.metric("dead_letters_total", reason=reason) == 1


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
    around.state.degraded = lambda *what: reasons.append(dict([what]))  # type: ignore[method-assign]
    await consume(loop, Stream(Message(1)), lambda: around.offsets("complete") == [1])
    assert [output.value for output in around.sent] == [b"value"]
    assert [wait for wait in waits if wait >= 0.1] == [0.1, 0.2, 0.3]
    assert all("Kafka" in text for reason in reasons for text in reason.values())
    assert len(reasons) == 3
    assert around.metric("send_errors_total", topic="") == 3
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


async def test_unexpected_error_of_the_stream_kills_the_worker(around: Around) -> None:
    class Broken:
        async def events(self) -> Any:
            raise RuntimeError("broken")
            yield

    with pytest.raises(Died, match="the consume loop failed"):
        await around.loop(handler_of(echo)).run(Broken())
