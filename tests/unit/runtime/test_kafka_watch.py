from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from faust_app.runtime import kafka_watch
from faust_app.runtime.kafka_watch import CONDITION, KafkaWatch
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
