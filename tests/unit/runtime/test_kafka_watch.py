from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from faust_app.runtime import kafka_watch
from faust_app.runtime.kafka_watch import CONDITION, KafkaWatch, RoutineEnded
from faust_app.runtime.lifecycle import WorkerState


class Client:
    """A Kafka client whose next answers are given."""

    def __init__(self) -> None:
        self.answer: Any = None

    async def fetch_all_metadata(self) -> None:
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            await self.answer.wait()


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def state() -> WorkerState:
    return WorkerState()


async def test_silence_is_a_reason_until_kafka_answers(
    state: WorkerState, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_watch, "ANSWER_SECONDS", 0.01)
    watch = KafkaWatch(state, lambda: client)
    client.answer = asyncio.Event()
    await watch.ask()
    assert state.reasons[CONDITION] == "Kafka has not answered for 0 s"
    client.answer = None
    await watch.ask()
    assert CONDITION not in state.reasons


@pytest.mark.parametrize("error", [KafkaError("no broker"), ConnectionRefusedError("refused")])
async def test_refusal_is_a_reason(state: WorkerState, client: Client, error: Exception) -> None:
    client.answer = error
    await KafkaWatch(state, lambda: client).ask()
    assert str(error) in state.reasons[CONDITION]


async def test_a_worker_that_is_not_connected_yet_has_its_own_reasons(state: WorkerState) -> None:
    await KafkaWatch(state, lambda: None).ask()
    assert CONDITION not in state.reasons


async def test_a_routine_that_has_ended_ends_the_watch(state: WorkerState, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the worker dies, and starts with a new client."""
    monkeypatch.setattr(kafka_watch, "ASK_SECONDS", 0.0)
    over = asyncio.Event()

    async def coordinate() -> None:
        await over.wait()
        raise AssertionError("Did we not perform bootstrap?")

    task = asyncio.create_task(coordinate())
    watch = KafkaWatch(state, lambda: None, lambda: [("the fetcher", None), ("the coordinator", task)])
    watch.check()
    over.set()
    with pytest.raises(RoutineEnded, match="the coordinator of the Kafka client has ended: .*bootstrap"):
        await watch.run()
