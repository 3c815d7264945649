"""The calls that place, change and remove triggers: each in its turn within the account's budget, made once.

    the durable mark -> wait for its turn -> the call -> the durable answer

A trigger that was asked for without an answer stays marked; the broker's list tells what became of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import count
from typing import Any, Protocol

import structlog

from agents.live.breaker import Breaker
from agents.live.calls import Errand, Rank
from agents.live.journal import CallJournal, PartitionsMoved
from brokers.answers import Answer, RefusalKind, Refused, Taken, Unknown
from brokers.zerodha.gtt import trigger_fields
from faust_app.runtime.order_budget import Grant
from models.messages.protection import ProtectedPosition, TriggerAsked, TriggerGone, TriggerStands
from trading.orders.protection import Action, DeleteTrigger, ModifyTrigger, PlaceTrigger
from trading.orders.triggers import key_of

log = structlog.get_logger(__name__)
NO_TURN = "No call may be made now"
NO_NEED = "It is not wanted any more"
Fields = dict[str, Any]


class TriggerWrites(Protocol):
    """The broker's side. Answers are values; nothing is sent twice."""

    async def place_trigger(self, fields: Fields) -> Answer:
        """Place a trigger."""

    async def modify_trigger(self, trigger_id: str, fields: Fields) -> Answer:
        """Give it other terms."""

    async def delete_trigger(self, trigger_id: str) -> Answer:
        """Remove it."""


class TriggerCalls:
    """`offer` lets a call wait for its turn; `may_call` is asked right before each. `now` is the broker's time."""

    def __init__(
        self,
        writes: TriggerWrites,
        journal: CallJournal,
        offer: Callable[[Errand], None],
        may_call: Callable[[], bool],
        breaker: Breaker,
        *,
        broker: str,
        now: Callable[[], float],
    ) -> None:
        self._writes = writes
        self._journal = journal
        self._offer = offer
        self._may_call = may_call
        self._breaker = breaker
        self._broker = broker
        self._now = now
        self._waiting: set[asyncio.Future[Answer]] = set()
        self._numbers = count()

    def forget(self) -> None:
        """Partitions moved: what waits for its turn is not made."""
        for one in self._waiting:
            if not one.done():
                one.set_exception(PartitionsMoved())

    async def place(self, action: PlaceTrigger, others: Iterable[str], is_wanted: Callable[[], bool]) -> Answer:
        """Place a trigger. `others` were there before. Raises PartitionsMoved."""
        position, terms = action.position, action.terms
        await self._journal.told(TriggerAsked(position=position, terms=terms, at=self._at(), others=tuple(others)))
        if not is_wanted():
            answer: Answer = Refused(RefusalKind.UNREACHED, NO_NEED)
        else:
            fields = trigger_fields(position, terms, action.last_price)
            answer = await self._made(action, Rank.PROTECTION, lambda: self._writes.place_trigger(fields))
        match answer:
            case Taken(number):
                await self._journal.told(TriggerStands(position=position, trigger_id=number, at=self._at()))
            case Refused(_, reason):
                await self.gone(position, "", reason)
        return answer

    async def modify(self, action: ModifyTrigger, *, is_urgent: bool) -> Answer:
        """Give a trigger other terms. Raises PartitionsMoved."""
        fields = trigger_fields(action.position, action.terms, action.last_price)
        rank = Rank.EXIT if is_urgent else Rank.PROTECTION
        return await self._made(action, rank, lambda: self._writes.modify_trigger(action.trigger_id, fields))

    async def delete(self, action: DeleteTrigger) -> Answer:
        """Remove a trigger. Raises PartitionsMoved."""
        answer = await self._made(action, Rank.EXIT, lambda: self._writes.delete_trigger(action.trigger_id))
        if isinstance(answer, Taken):
            await self.gone(action.position, action.trigger_id, "Removed")
        return answer

    async def gone(self, position: ProtectedPosition, trigger_id: str, reason: str) -> None:
        """A trigger is no more, or was never taken. Raises PartitionsMoved."""
        await self._journal.told(TriggerGone(position=position, trigger_id=trigger_id, reason=reason, at=self._at()))

    def _at(self) -> int:
        return int(self._now())

    async def _made(self, action: Action, rank: Rank, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer to a call that waits for its turn."""
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.add(answered)

        async def make(grant: Grant) -> None:
            try:
                answer = await self._answer(grant, call)
            except Exception as error:  # whoever waits has to know
                if not answered.done():
                    answered.set_exception(error)
            else:
                if not answered.done():
                    answered.set_result(answer)

        name = f"{type(action).__name__} {key_of(action.position)} {next(self._numbers)}"
        self._offer(Errand(name, rank, make))
        try:
            answer = await answered
        finally:
            self._waiting.discard(answered)
        self._tell(action, answer)
        return answer

    async def _answer(self, grant: Grant, call: Callable[[], Awaitable[Answer]]) -> Answer:
        if not grant.is_fresh or not self._may_call():
            return Refused(RefusalKind.UNREACHED, NO_TURN)
        answer = await call()
        if isinstance(answer, Unknown):
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        return answer

    def _tell(self, action: Action, answer: Answer) -> None:
        kind, outcome = type(action).__name__, type(answer).__name__.lower()
        reason = "" if isinstance(answer, Taken) else answer.reason
        log.info("protective_trigger", action=kind, position=key_of(action.position), outcome=outcome, reason=reason)
