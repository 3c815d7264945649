"""Makes the calls of a live broker: each order is sent once, or its outcome is unknown and it is never sent again.

    wait for its turn -> the account's budget -> the durable mark -> the last check -> the call -> the durable report

Rebuilt from the orders table at a start: what carries no mark was not sent and waits again, what carries one is the
poller's. A crash after the mark, before the report, makes an order unknown; one before the mark changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

import structlog
from redis.exceptions import RedisError

from agents.live.breaker import Breaker
from agents.live.calls import Call, CallQueue, Cancel, Errand, Place, Rank
from agents.order_lines import about
from brokers.answers import Answer, RefusalKind, Refused, Taken, Unknown
from faust_app.runtime.order_budget import Grant, Verdict
from models.messages.orders import OrderStatus, OrderUpdate, PlannedOrder

log = structlog.get_logger(__name__)
REPORTER = "call"
IDLE_SECONDS = 1.0
MOST_STALE = 5
NO_BUDGET = {
    Verdict.SPENT: "The day's order calls are spent",
    Verdict.NOT_RUNNER: "Another process runs this account, or none does",
    Verdict.LATE: "Redis answers too slowly to keep the limit of order calls",
}


class Writes(Protocol):
    """The broker's side. Answers are values; nothing is sent twice."""

    async def place(self, order: PlannedOrder) -> Answer:
        """Send an order."""

    async def cancel(self, broker_order_id: str) -> Answer:
        """Ask to cancel an order."""


class Journal(Protocol):
    """Our side: both return when what they wrote is durable and in the table, and try for as long as it takes."""

    async def attempted(self, order: PlannedOrder) -> None:
        """The mark: from now on the order may be at the broker."""

    async def report(self, update: OrderUpdate) -> None:
        """What became of a call."""


class Budget(Protocol):
    """The account's order calls."""

    async def take(self, *, is_exit: bool) -> Grant:
        """Ask for one call. Raises RedisError while nobody can say."""

    def take_locally(self) -> Grant:
        """Ask for an exit or a cancel while nobody can say."""


class Dispatcher:
    """One account's calls. `refusal` is the last check before each placing; `now` is the broker's time, in seconds."""

    def __init__(
        self,
        writes: Writes,
        journal: Journal,
        budget: Budget,
        refusal: Callable[[PlannedOrder], str],
        breaker: Breaker,
        *,
        now: Callable[[], float],
        uncertain: Callable[[], None],
        most_in_flight: int = 4,
    ) -> None:
        self._writes = writes
        self._journal = journal
        self._budget = budget
        self._refusal = refusal
        self._breaker = breaker
        self._now = now
        self._uncertain = uncertain
        self._queue = CallQueue()
        self._news = asyncio.Event()
        self._places = asyncio.Semaphore(most_in_flight)
        self._running: dict[asyncio.Task[None], Call] = {}
        self._is_stopping = False

    @property
    def in_flight(self) -> list[str]:
        """Orders whose calls have not ended."""
        return [call.order_id for call in self._running.values()]

    def offer(self, call: Call) -> None:
        """Let a call wait for its turn. One that waits or is being made is not taken again."""
        if not any(type(call) is type(one) and call.order_id == one.order_id for one in self._running.values()):
            self._queue.push(call)
            self._news.set()

    def withdraw(self, order_id: str) -> bool:
        """Take back an order that has not been sent; False when it is too late."""
        return self._queue.drop(order_id)

    def forget(self) -> None:
        """Partitions moved: what waits is offered again by whoever has it now. Calls being made end."""
        self._queue.clear()

    async def run(self) -> None:
        """Make calls until stopped."""
        while not self._is_stopping:
            call = self._queue.peek()
            if call is None:
                self._news.clear()
                await self._news.wait()
                continue
            await self._places.acquire()
            is_made = False
            try:
                is_made = await self._next()
            finally:
                if not is_made:
                    self._places.release()

    async def stop(self, seconds: float) -> None:
        """Make no new calls, and wait for those being made."""
        self._is_stopping = True
        self._news.set()
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    async def drained(self) -> None:
        """Wait until no entry is on its way to the broker: a halt is acknowledged after that."""
        while entries := [task for task, call in self._running.items() if call.rank is Rank.ENTRY]:
            await asyncio.wait(entries)

    async def _next(self) -> bool:
        """Begin the call whose turn it is, once the budget allows it. False when none was begun."""
        call = self._queue.peek()
        if call is None:
            return False
        grant = await self._grant(call)
        if grant.verdict is Verdict.WAIT:
            await self._wait(grant.wait_seconds)
            return False
        if self._queue.peek() is not call:  # something more urgent came, or it was withdrawn: the grant is lost
            return False
        self._begin(self._queue.take(), grant)
        return True

    async def _grant(self, call: Call) -> Grant:
        try:
            return await self._budget.take(is_exit=call.rank < Rank.PROTECTION)
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("order_budget_unreachable", error=type(error).__name__)
            if call.rank >= Rank.PROTECTION:
                return Grant(Verdict.NOT_RUNNER)
            return self._budget.take_locally()

    async def _wait(self, seconds: float) -> None:
        """Until it is worth asking again, or something else waits."""
        self._news.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, IDLE_SECONDS)):
                await self._news.wait()

    def _begin(self, call: Call, grant: Grant) -> None:
        task = asyncio.create_task(self._make(call, grant), name=f"call {call.order_id}")
        self._running[task] = call
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._places.release()
        self._news.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("call_failed", call=task.get_name(), error=f"{type(error).__name__}: {error}")
            self._uncertain()

    async def _make(self, call: Call, grant: Grant) -> None:
        match call:
            case Cancel():
                await self._cancel(call, grant)
            case Place():
                await self._place(call.order, grant)
            case Errand():
                await call.make(grant)

    async def _cancel(self, call: Cancel, grant: Grant) -> None:
        """A cancel that did not come through is offered again by the poller, as long as the order rests."""
        if grant.verdict is not Verdict.GRANTED:
            log.error("cancel_not_sent", **_named(call), reason=NO_BUDGET[grant.verdict])
            return
        answer = await self._writes.cancel(call.broker_order_id)
        self._note(answer)
        if not isinstance(answer, Taken):
            log.warning("cancel_not_taken", **_named(call), reason=answer.reason)
            self._uncertain()

    async def _place(self, order: PlannedOrder, grant: Grant) -> None:
        refusal = NO_BUDGET.get(grant.verdict) or self._refusal(order)
        if refusal:
            await self._deny(order, refusal)
            return
        await self._journal.attempted(order)
        grant = await self._renewed(order, grant)
        refusal = NO_BUDGET.get(grant.verdict) or self._refusal(order)
        if refusal:
            await self._deny(order, refusal)
            return
        answer = await self._writes.place(order)
        self._note(answer)
        log.info("order_called", **about(order), answer=type(answer).__name__.lower(), told=_told(answer))
        await self._journal.report(self._update(order, answer))
        if isinstance(answer, Unknown):
            self._uncertain()

    async def _renewed(self, order: PlannedOrder, grant: Grant) -> Grant:
        """A grant is for a call made at once: when the mark took long, another one is asked for.

        Each one counts: when they keep coming too late, an entry is denied, an exit takes one of the process's own.
        """
        stale = 0
        while grant.verdict is Verdict.WAIT or (grant.verdict is Verdict.GRANTED and not grant.is_fresh):
            stale += grant.verdict is Verdict.GRANTED
            await asyncio.sleep(min(grant.wait_seconds, IDLE_SECONDS))
            if stale <= MOST_STALE:
                grant = await self._grant(Place(order))
            elif order.reduces:
                grant = self._budget.take_locally()
            else:
                return Grant(Verdict.LATE)
        return grant

    def _note(self, answer: Answer) -> None:
        if isinstance(answer, Unknown):
            self._breaker.failed()
        else:
            self._breaker.succeeded()

    async def _deny(self, order: PlannedOrder, reason: str) -> None:
        await self._journal.report(self._report(order, OrderStatus.DENIED_LATE, reason))

    def _update(self, order: PlannedOrder, answer: Answer) -> OrderUpdate:
        match answer:
            case Taken():
                return self._report(order, OrderStatus.WORKING, "", answer.broker_order_id)
            case Refused(kind, reason):
                told = reason if kind is RefusalKind.REJECTED else f"{kind.value}: {reason}"
                return self._report(order, OrderStatus.REJECTED, told)
            case Unknown(reason):
                return self._report(order, OrderStatus.UNKNOWN, reason)

    def _report(self, order: PlannedOrder, status: OrderStatus, reason: str, number: str = "") -> OrderUpdate:
        return OrderUpdate(
            order_id=order.order_id,
            broker_order_id=number,
            status=status,
            cumulative_quantity=0,
            average_price=Decimal(0),
            reason=reason,
            event_time=int(self._now()),
            reporter=REPORTER,
        )


def _named(call: Cancel) -> dict[str, str]:
    return {"order_id": call.order_id, "correlation_id": call.correlation_id}


def _told(answer: Answer) -> str:
    """The broker's number of an order it has taken, else why it has not or nobody knows."""
    return answer.broker_order_id if isinstance(answer, Taken) else answer.reason
