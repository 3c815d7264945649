"""The dispatcher: whose turn it is, what precedes a call, what follows it, what is never done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisGone
from structlog.testing import capture_logs

from agents.live.breaker import FAILURES, Breaker
from agents.live.calls import CallQueue, Cancel, Errand, Place, Rank
from agents.live.dispatcher import MOST_STALE, Dispatcher
from brokers.answers import Answer, RefusalKind, Refused, Taken, Unknown
from faust_app.runtime.lease import awake_seconds
from faust_app.runtime.order_budget import Grant, Verdict
from models.messages.orders import OrderStatus, OrderUpdate, PlannedOrder
from tests.factories import order
from tests.unit.runtime.loop_fakes import until

NOW = 1_787_200_000
S = OrderStatus


def entry(name: str, **values: Any) -> PlannedOrder:
    return order(order_id=name, **values)


class Broker:
    """Everything the dispatcher has to do with. `steps` is what happened, in order."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []
        self.reports: list[OrderUpdate] = []
        self.answers: dict[str, Answer] = {}
        self.refusals: dict[str, list[str]] = {}
        self.grants: list[Grant | Exception] = []
        self.hold: asyncio.Event | None = None
        self.asked: list[bool] = []  # of each call for the budget, whether it was one for an exit
        self.uncertain = 0
        self.most_at_once = self.at_once = 0

    async def place(self, order: PlannedOrder) -> Answer:
        self.steps.append(("place", order.order_id))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if self.hold is not None:
            await self.hold.wait()
        self.at_once -= 1
        return self.answers.get(order.order_id, Taken(f"at broker {order.order_id}"))

    async def cancel(self, broker_order_id: str) -> Answer:
        self.steps.append(("cancel", broker_order_id))
        return self.answers.get(broker_order_id, Taken(broker_order_id))

    async def attempted(self, order: PlannedOrder) -> None:
        self.steps.append(("mark", order.order_id))

    async def report(self, update: OrderUpdate) -> None:
        self.steps.append(("report", update.order_id))
        self.reports.append(update)

    async def take(self, *, is_exit: bool) -> Grant:
        self.asked.append(is_exit)
        found = self.grants.pop(0) if self.grants else granted()
        if isinstance(found, Exception):
            raise found
        return found

    def take_locally(self) -> Grant:
        self.steps.append(("local", ""))
        return granted()

    def refusal(self, order: PlannedOrder) -> str:
        left = self.refusals.get(order.order_id, [])
        return left.pop(0) if left else ""

    def note_uncertain(self) -> None:
        self.uncertain += 1

    def calls(self) -> list[str]:
        return [name for step, name in self.steps if step in ("place", "cancel")]


def granted(age: float = 0.0) -> Grant:
    return Grant(Verdict.GRANTED, given_at=awake_seconds() - age)


class World:
    """A dispatcher on its broker; it runs once `start` is called."""

    def __init__(self) -> None:
        self.broker = Broker()
        self.breaker = Breaker(lambda: 0.0)
        self.made = Dispatcher(
            self.broker,
            self.broker,
            self.broker,
            self.broker.refusal,
            self.breaker,
            now=lambda: float(NOW),
            uncertain=self.broker.note_uncertain,
            most_in_flight=3,
        )
        self.task: asyncio.Task[None] | None = None

    async def until(self, condition: Callable[[], bool]) -> None:
        if self.task is None:
            self.task = asyncio.create_task(self.made.run())
        await until(condition)

    async def reported(self, count: int = 1) -> list[OrderUpdate]:
        await self.until(lambda: len(self.broker.reports) >= count)
        return self.broker.reports


@pytest.fixture
async def world() -> AsyncIterator[World]:
    found = World()
    yield found
    if found.task is not None:
        found.task.cancel()
        await asyncio.gather(found.task, return_exceptions=True)


async def test_the_mark_is_durable_before_the_call_and_the_report_follows(world: World) -> None:
    world.made.offer(Place(entry("a")))
    (report,) = await world.reported()
    assert world.broker.steps == [("mark", "a"), ("place", "a"), ("report", "a")]
    assert (report.status, report.broker_order_id, report.event_time) == (S.WORKING, "at broker a", NOW)
    assert (report.cumulative_quantity, report.average_price) == (0, Decimal(0))


async def test_lines_about_calls_name_the_order_and_its_chain(world: World) -> None:
    world.broker.answers = {"b": Refused(RefusalKind.REJECTED, "no margin"), "at broker c": Unknown("no answer")}
    with capture_logs() as lines:
        world.made.offer(Cancel("c", "at broker c", "chain of c"))
        world.made.offer(Place(entry("a")))
        world.made.offer(Place(entry("b")))
        await world.reported(2)
    by_order = {line["order_id"]: line for line in lines}
    assert (by_order["a"]["event"], by_order["a"]["answer"], by_order["a"]["told"]) == (
        "order_called", "taken", "at broker a",
    )  # fmt: skip
    assert (by_order["b"]["answer"], by_order["b"]["told"]) == ("refused", "no margin")
    assert by_order["a"]["correlation_id"] == entry("a").frame_id
    assert (by_order["c"]["event"], by_order["c"]["correlation_id"]) == ("cancel_not_taken", "chain of c")


async def test_cancels_go_first_then_exits_then_entries_each_in_their_order(world: World) -> None:
    for name, reduces in (("e1", False), ("e2", False), ("x1", True), ("x2", True)):
        world.made.offer(Place(entry(name, reduces=reduces)))
    world.made.offer(Cancel("c", "at broker c"))
    await world.reported(4)
    assert world.broker.calls() == ["at broker c", "x1", "x2", "e1", "e2"]


async def test_what_is_more_urgent_goes_ahead_of_an_entry_that_waits_for_the_budget(world: World) -> None:
    world.broker.grants = [Grant(Verdict.WAIT, 0.05), Grant(Verdict.WAIT, 30.0)]
    world.made.offer(Place(entry("e")))
    await world.until(lambda: len(world.broker.grants) == 0)
    world.made.offer(Place(entry("x", reduces=True)))
    await world.reported(2)
    assert world.broker.calls() == ["x", "e"]


@pytest.mark.parametrize(
    ("answer", "status", "reason", "uncertain"),
    [
        (Refused(RefusalKind.REJECTED, "no margin"), S.REJECTED, "no margin", 0),
        (Refused(RefusalKind.RATE, "429"), S.REJECTED, "rate: 429", 0),
        (Unknown("ReadTimeout"), S.UNKNOWN, "ReadTimeout", 1),
    ],
)
async def test_each_answer_is_reported_once_and_nothing_is_sent_again(
    world: World, answer: Answer, status: OrderStatus, reason: str, uncertain: int
) -> None:
    world.broker.answers["a"] = answer
    world.made.offer(Place(entry("a")))
    world.made.offer(Place(entry("a")))
    world.made.offer(Place(entry("b")))
    await world.reported(2)
    report = next(one for one in world.broker.reports if one.order_id == "a")
    assert (report.status, report.reason, report.broker_order_id) == (status, reason, "")
    assert sorted(world.broker.calls()) == ["a", "b"]
    assert world.broker.uncertain == uncertain


async def test_an_order_whose_call_is_under_way_is_not_taken_again(world: World) -> None:
    world.broker.hold = asyncio.Event()
    world.made.offer(Place(entry("a")))
    await world.until(lambda: world.broker.at_once == 1)
    world.made.offer(Place(entry("a")))
    assert world.made.in_flight == ["a"]
    world.broker.hold.set()
    await world.reported()
    await world.until(lambda: not world.made.in_flight)
    assert world.broker.calls() == ["a"]


async def test_the_last_check_before_the_mark_and_right_before_the_call(world: World) -> None:
    world.broker.refusals = {"early": ["halted"], "late": ["", "too old"]}
    for name in ("early", "late"):
        world.made.offer(Place(entry(name)))
    found = {one.order_id: one for one in await world.reported(2)}
    assert (found["early"].status, found["early"].reason) == (S.DENIED_LATE, "halted")
    assert (found["late"].status, found["late"].reason) == (S.DENIED_LATE, "too old")
    assert [step for step in world.broker.steps if step[0] != "report"] == [("mark", "late")]


async def test_a_grant_that_has_grown_old_meanwhile_is_asked_for_again(world: World) -> None:
    world.broker.grants = [granted(age=5.0), Grant(Verdict.WAIT, 0.001), Grant(Verdict.NOT_RUNNER)]
    world.made.offer(Place(entry("a")))
    (report,) = await world.reported()
    assert report.status is S.DENIED_LATE
    assert "Another process runs this account" in report.reason
    assert world.broker.calls() == []


@pytest.mark.parametrize("reduces", [False, True])
async def test_grants_that_keep_coming_too_late_are_not_asked_for_for_ever(world: World, *, reduces: bool) -> None:
    world.broker.grants = [granted(age=5.0) for _ in range(50)]
    world.made.offer(Place(entry("a", reduces=reduces)))
    (report,) = await world.reported()
    assert 50 - len(world.broker.grants) == MOST_STALE + 1
    assert report.status is (S.WORKING if reduces else S.DENIED_LATE)
    assert world.broker.calls() == (["a"] if reduces else [])
    assert (("local", "") in world.broker.steps) is reduces


@pytest.mark.parametrize("verdict", [Verdict.SPENT, Verdict.NOT_RUNNER])
@pytest.mark.parametrize("reduces", [False, True])
async def test_without_budget_an_order_is_denied(world: World, verdict: Verdict, reduces: bool) -> None:
    world.broker.grants = [Grant(verdict)]
    world.made.offer(Place(entry("a", reduces=reduces)))
    (report,) = await world.reported()
    assert report.status is S.DENIED_LATE
    assert world.broker.calls() == []


async def test_while_redis_is_away_entries_are_denied_and_exits_have_a_local_budget(world: World) -> None:
    world.broker.grants = [RedisGone("gone"), RedisGone("gone")]
    world.made.offer(Place(entry("x", reduces=True)))
    world.made.offer(Place(entry("e")))
    found = {one.order_id: one.status for one in await world.reported(2)}
    assert found == {"x": S.WORKING, "e": S.DENIED_LATE}
    assert world.broker.steps[0] == ("local", "")


async def test_only_so_many_calls_are_in_flight(world: World) -> None:
    world.broker.hold = asyncio.Event()
    for number in range(8):
        world.made.offer(Place(entry(f"a{number}")))
    await world.until(lambda: world.broker.at_once == 3)
    await asyncio.sleep(0)
    assert world.broker.most_at_once == 3
    world.broker.hold.set()
    await world.reported(8)
    assert world.broker.most_at_once == 3


async def test_an_order_is_withdrawn_as_long_as_it_waits(world: World) -> None:
    world.made.offer(Place(entry("a")))
    assert world.made.withdraw("a")
    assert not world.made.withdraw("a")
    world.made.offer(Place(entry("b")))
    await world.reported()
    assert world.broker.calls() == ["b"]
    assert not world.made.withdraw("b")


async def test_a_halt_waits_for_entries_on_their_way(world: World) -> None:
    world.broker.hold = asyncio.Event()
    world.made.offer(Place(entry("e")))
    await world.until(lambda: world.broker.at_once == 1)
    draining = asyncio.create_task(world.made.drained())
    await asyncio.sleep(0)
    assert not draining.done()
    world.broker.hold.set()
    await draining
    assert [one.status for one in world.broker.reports] == [S.WORKING]


async def test_a_stop_makes_no_new_call_and_lets_the_others_end(world: World) -> None:
    world.broker.hold = asyncio.Event()
    world.made.offer(Place(entry("a")))
    await world.until(lambda: world.broker.at_once == 1)
    stopping = asyncio.create_task(world.made.stop(5))
    await asyncio.sleep(0)
    world.made.offer(Place(entry("b")))
    world.broker.hold.set()
    await stopping
    assert world.task is not None
    await world.task
    assert world.broker.calls() == ["a"]
    assert len(world.broker.reports) == 1


async def test_a_cancel_that_does_not_come_through_is_told_to_the_poller(world: World) -> None:
    world.broker.answers = {"no": Refused(RefusalKind.REJECTED, "being processed"), "silent": Unknown("ReadTimeout")}
    for name in ("no", "silent", "yes"):
        world.made.offer(Cancel(name, name))
    await world.until(lambda: len(world.broker.calls()) == 3 and not world.made.in_flight)
    assert world.broker.uncertain == 2
    assert world.broker.reports == []


def test_the_breaker_opens_after_failures_in_a_row_and_lets_one_try_later() -> None:
    now = 100.0
    breaker = Breaker(lambda: now)
    for _ in range(FAILURES - 1):
        breaker.failed()
    assert not breaker.is_open
    breaker.succeeded()
    for _ in range(FAILURES):
        breaker.failed()
    assert breaker.is_open
    now += 30.0
    assert not breaker.is_open
    breaker.failed()
    assert breaker.is_open
    breaker.succeeded()
    assert not breaker.is_open


def test_the_queue_knows_what_waits() -> None:
    queue = CallQueue()
    assert queue.push(Place(entry("a")))
    assert not queue.push(Place(entry("a")))
    assert queue.push(Cancel("a", "b"))
    assert len(queue) == 2
    assert queue.drop("a")
    assert queue.take() == Cancel("a", "b")
    assert queue.peek() is None
    with pytest.raises(IndexError):
        queue.take()
    assert queue.push(Place(entry("a")))
    queue.clear()
    assert len(queue) == 0
    assert queue.push(Place(entry("a")))


def errand(world: World, rank: Rank) -> tuple[Errand, list[Grant]]:
    given: list[Grant] = []

    async def make(grant: Grant) -> None:
        given.append(grant)
        world.broker.steps.append(("place", rank.name))

    return Errand(rank.name, rank, make), given


async def test_stops_are_placed_behind_exits_and_before_entries(world: World) -> None:
    placing, _ = errand(world, Rank.PROTECTION)
    removing, _ = errand(world, Rank.EXIT)
    for call in (Place(entry("entry")), placing, removing, Place(entry("exit", reduces=True)), Cancel("a", "A")):
        world.made.offer(call)
    await world.until(lambda: len(world.broker.calls()) == 5)
    assert world.broker.calls() == ["A", "EXIT", "exit", "PROTECTION", "entry"]
    assert world.broker.asked == [True, True, True, False, False]


async def test_while_redis_is_away_stops_are_not_placed_but_removed(world: World) -> None:
    placing, refused = errand(world, Rank.PROTECTION)
    removing, given = errand(world, Rank.EXIT)
    world.broker.grants = [RedisGone(), RedisGone()]
    for call in (placing, removing):
        world.made.offer(call)
    await world.until(lambda: bool(refused and given))
    assert [one.verdict for one in (*given, *refused)] == [Verdict.GRANTED, Verdict.NOT_RUNNER]
    assert ("local", "") in world.broker.steps
