"""A worker that is too far behind for too long is not ready until it has caught up; it neither flaps nor guesses."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import IllegalStateError, KafkaConnectionError
from faust.exceptions import ConsumerNotStarted

from faust_app.runtime import lag_watch
from faust_app.runtime.lag_watch import CONDITION, LASTING_SECONDS, LagWatch
from faust_app.runtime.lifecycle import WorkerState

MOST = 100


class Lagging:
    """A watch whose clock and lag are set by hand."""

    def __init__(self) -> None:
        self.state = WorkerState()
        self.time = 1000.0
        self.answer: int | Exception | None = 0
        self.watch = LagWatch(self.state, self._behind, MOST, lambda: self.time)

    async def _behind(self) -> int | None:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def after(self, seconds: float, behind: int | Exception | None) -> bool:
        """True when the worker is held to be behind, so many seconds later."""
        self.time += seconds
        self.answer = behind
        await self.watch.look()
        return CONDITION in self.state.reasons


@pytest.fixture
def lagging() -> Lagging:
    return Lagging()


async def test_more_than_the_limit_for_long_enough_is_a_reason(lagging: Lagging) -> None:
    assert not await lagging.after(0, MOST + 1)
    assert not await lagging.after(LASTING_SECONDS - 0.1, 5000)
    assert await lagging.after(0.1, 5000)
    assert lagging.state.reasons[CONDITION] == "5,000 messages wait to be handled; the limit is 100"


async def test_as_many_as_the_limit_never_are(lagging: Lagging) -> None:
    for _ in range(3):
        assert not await lagging.after(LASTING_SECONDS, MOST)


async def test_bursts_that_are_worked_off_are_none(lagging: Lagging) -> None:
    for _ in range(5):
        assert not await lagging.after(1, 5000)
        assert not await lagging.after(LASTING_SECONDS - 0.1, 5000)
        assert not await lagging.after(1, MOST)


async def test_it_ends_when_half_the_limit_waits_and_does_not_flap_on_the_way(lagging: Lagging) -> None:
    await lagging.after(0, 5000)
    assert await lagging.after(LASTING_SECONDS, 5000)
    for behind in (MOST, MOST + 1, MOST - 1, MOST // 2 + 1, MOST + 1):
        assert await lagging.after(1, behind), behind
    assert not await lagging.after(1, MOST // 2)
    assert not await lagging.after(1, MOST + 1)


@pytest.mark.parametrize(
    "error", [KafkaConnectionError("away"), IllegalStateError("moved"), OSError("reset"), ConsumerNotStarted("early")]
)
async def test_what_cannot_be_asked_changes_nothing(lagging: Lagging, error: Exception) -> None:
    assert not await lagging.after(0, error)
    await lagging.after(0, 5000)
    assert await lagging.after(LASTING_SECONDS, 5000)
    assert await lagging.after(1, error)
    assert not await lagging.after(1, 0)


async def test_a_silent_kafka_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag_watch, "ANSWER_SECONDS", 0.01)
    state = WorkerState()

    async def never() -> int:
        await asyncio.Event().wait()
        return 0

    await LagWatch(state, never, MOST).look()
    assert CONDITION not in state.reasons


async def test_without_partitions_nothing_waits(lagging: Lagging) -> None:
    await lagging.after(0, 5000)
    assert await lagging.after(LASTING_SECONDS, 5000)
    assert not await lagging.after(1, None)
