"""Checks beside a live engine: what is remembered, for how long, and what is said meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from redis.exceptions import ConnectionError as RedisGone

from agents.live.preflight import checks, watch
from agents.live.preflight.checks import take, take_all
from agents.live.preflight.result import Check, Outcome, Result, Step, failed, passed, skipped
from agents.live.preflight.watch import CONDITION, MOST_AGE_SECONDS, NOT_YET, Preflight
from brokers.errors import BrokerFailure
from faust_app.runtime import metrics
from faust_app.runtime.errors import TransientError
from faust_app.runtime.lifecycle import WorkerState
from tests.unit.runtime.loop_fakes import until


class World:
    """Steps whose answers are set by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.state = WorkerState()
        self.state.recovered("start")
        self.answers: dict[Check, Result | Exception] = {
            Check.SESSION: passed(Check.SESSION, "AB1234"),
            Check.FUNDS: passed(Check.FUNDS, "100"),
            Check.CLOCK: skipped(Check.CLOCK, "not compared"),
        }
        self.asked = 0
        steps = tuple(Step((check,), self._work(check)) for check in self.answers)
        self.made = Preflight(steps, self.state, broker="zerodha", now=lambda: self.now)

    def _work(self, check: Check) -> Callable[[], Any]:
        async def work() -> tuple[Result, ...]:
            self.asked += 1
            answer = self.answers[check]
            if isinstance(answer, Exception):
                raise answer
            return (answer,)

        return work

    def fail(self, check: Check = Check.FUNDS) -> None:
        self.answers[check] = failed(check, "no rupee left")


@pytest.fixture
def world() -> World:
    return World()


async def test_nothing_is_sent_before_the_first_run(world: World) -> None:
    assert world.made.refusal() == NOT_YET
    assert world.state.reasons == {CONDITION: NOT_YET}


async def test_entries_go_once_nothing_fails_and_skipped_keeps_nothing_back(world: World) -> None:
    await world.made.once()
    assert world.made.refusal() == ""
    assert world.state.reasons == {}


async def test_a_failed_check_refuses_with_its_sentence_until_it_recovers(world: World) -> None:
    await world.made.once()
    world.fail()
    await world.made.once()
    assert world.made.refusal() == "Preflight: funds: no rupee left"
    assert world.state.reasons == {CONDITION: "No entries: funds: no rupee left"}
    assert metrics.PREFLIGHT_FAILED.labels("zerodha", "funds")._value.get() == 1
    world.answers[Check.FUNDS] = passed(Check.FUNDS, "100")
    await world.made.once()
    assert world.made.refusal() == ""
    assert world.state.reasons == {}
    assert metrics.PREFLIGHT_FAILED.labels("zerodha", "funds")._value.get() == 0


async def test_every_failure_is_told_in_the_order_of_the_checks(world: World) -> None:
    world.fail(Check.FUNDS)
    world.fail(Check.SESSION)
    await world.made.once()
    assert world.made.refusal() == "Preflight: session: no rupee left"
    assert world.state.reasons[CONDITION] == "No entries: session: no rupee left; funds: no rupee left"


async def test_a_read_that_fails_forgets_nothing_of_the_others(world: World) -> None:
    await world.made.once()
    world.answers[Check.SESSION] = BrokerFailure("ReadTimeout")
    await world.made.once()
    assert world.made.refusal() == "Preflight: session: ReadTimeout"
    assert world.made._results[Check.FUNDS] == passed(Check.FUNDS, "100")


async def test_a_step_that_hangs_leaves_the_others_their_say(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = asyncio.Event()

    async def hang() -> tuple[Result, ...]:
        await hangs.wait()
        return (passed(Check.LIMITS, ""),)

    world.made._steps = (*world.made._steps, Step((Check.LIMITS,), hang))
    world.fail()
    running = asyncio.create_task(world.made.once())
    await until(lambda: world.asked == 3)
    assert world.made.refusal() == "Preflight: funds: no rupee left"
    world.answers[Check.FUNDS] = passed(Check.FUNDS, "100")
    hangs.set()
    await running


@pytest.mark.parametrize(("age", "passes"), [(MOST_AGE_SECONDS, True), (MOST_AGE_SECONDS + 1, False)])
async def test_a_run_that_passed_long_ago_counts_no_more(world: World, age: float, passes: bool) -> None:
    await world.made.once()
    world.now += age
    expected = "" if passes else "Preflight passed 301 s ago for the last time; the limit is 300 s"
    assert world.made.refusal() == expected


async def test_the_age_counts_from_the_beginning_of_the_run(world: World) -> None:
    work = world.made._steps[0].work

    async def slow() -> tuple[Result, ...]:
        world.now += MOST_AGE_SECONDS + 1
        return await work()

    world.made._steps = (Step((Check.SESSION,), slow),)
    await world.made.once()
    assert "for the last time" in world.made.refusal()


async def test_it_goes_on_and_looks_again_soon_while_something_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 1:
            world.answers[Check.FUNDS] = passed(Check.FUNDS, "100")
        if len(slept) == 2:
            raise asyncio.CancelledError

    world.fail()
    monkeypatch.setattr(watch.asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await world.made.run()
    assert slept == [watch.AGAIN_SECONDS, watch.EVERY_SECONDS]


def raising(error: Exception) -> Step:
    async def work() -> tuple[Result, ...]:
        raise error

    return Step((Check.INSTRUMENTS, Check.CALENDAR), work)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (BrokerFailure("ReadTimeout"), "ReadTimeout"),
        (TransientError("PostgreSQL is away"), "PostgreSQL is away"),
        (RedisGone("secret host"), "Redis does not answer (ConnectionError)"),
        (asyncpg.UndefinedTableError("no limits"), "PostgreSQL refuses: no limits"),
    ],
)
async def test_what_cannot_be_asked_has_failed_with_a_sentence(error: Exception, sentence: str) -> None:
    found = await take(raising(error))
    assert [(one.check, one.outcome, one.sentence) for one in found] == [
        (check, Outcome.FAILED, sentence) for check in (Check.INSTRUMENTS, Check.CALENDAR)
    ]


async def test_a_bug_is_told_with_its_place_and_without_its_text() -> None:
    found = await take(raising(KeyError("a-secret")))
    assert found[0].outcome is Outcome.FAILED
    assert found[0].sentence.startswith("It could not be checked (KeyError at test_preflight_watch.py:")
    assert "secret" not in found[0].sentence


async def test_what_does_not_answer_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "STEP_SECONDS", 0.01)

    async def hang() -> tuple[Result, ...]:
        await asyncio.Event().wait()
        return ()

    (found,) = await take(Step((Check.FUNDS,), hang))
    assert found == failed(Check.FUNDS, "No answer within 0 s")


async def test_results_come_in_the_order_of_the_checks(world: World) -> None:
    found = await take_all(reversed(world.made._steps))
    assert [one.check for one in found] == [Check.SESSION, Check.FUNDS, Check.CLOCK]
