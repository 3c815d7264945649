"""Keeps protective triggers at the exchange in step with the positions: at a start, after fills, every few seconds.

One round reads the broker's list, takes note of what has become of our triggers, and makes the calls that are missing.
It is made only by the account's runner with a valid session; a halt does not stop it, for a stop only protects.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import structlog

from agents.live.breaker import Breaker
from agents.live.journal import CallJournal, PartitionsMoved
from agents.live.trigger_calls import TriggerCalls
from brokers.answers import Answer, RefusalKind, Refused, Taken, Unknown
from brokers.errors import BrokerFailure, SessionRefused
from brokers.zerodha.gtt import read_triggers
from faust_app.runtime import metrics
from faust_app.runtime.errors import TransientError
from faust_app.runtime.lifecycle import WorkerState
from faust_app.runtime.reference_data import ReferenceData
from models.messages.orders import PlannedOrder
from models.messages.protection import TriggerGone, TriggerStands
from models.messages.protection import TriggerTerms as Terms
from models.messages.ticks import TickFrame
from trading.accounting.account import Account
from trading.accounting.position import position_key
from trading.market.sessions import trading_day
from trading.orders.protection import (
    Action,
    DeleteTrigger,
    FindInstrument,
    Held,
    ModifyTrigger,
    PlaceTrigger,
    Protection,
    exiting_units,
    held_positions,
    plan,
)
from trading.orders.state import AlarmKind, OrderRecord
from trading.orders.triggers import Fired, Listing, TriggerRecord, is_of_trigger, key_of, news_of, order_of

log = structlog.get_logger(__name__)
CONDITION = "protective stops"
FIRED = "It has fired"
ANOTHER_DAY = "It fired on another day, whose order book is gone"
EVERY_SECONDS = 10.0
SETTLING_SECONDS = 1.0
LEAST_SECONDS = 0.3  # between two rounds
CLEAR_SECONDS = 2.0  # longest wait of an exit for its position's trigger
REFUSED_SECONDS = 60.0  # before the same terms are tried again
OPTIONS_SECONDS = 10.0
Options = Mapping[str, Protection]
Row = dict[str, Any]


async def strategy_options(data: ReferenceData) -> Options:
    """Of the strategies that ask for stops. Raises TransientError."""
    found = {one.instance: one.protection for one in await data.load_strategies()}
    return {name: Protection.model_validate(one) for name, one in found.items() if one}


class TriggerReads(Protocol):
    """The broker's list."""

    async def triggers(self) -> list[Row]:
        """Every trigger of the account. Raises SessionRefused, BrokerFailure."""


@dataclass(frozen=True)
class Sight:
    """What is known of our side. `account` is None, and `options` raises TransientError, while nobody can say."""

    account: Callable[[], Account | None]
    orders: Callable[[], Iterable[OrderRecord]]
    triggers: Callable[[], Mapping[str, TriggerRecord]]
    options: Callable[[], Awaitable[Options]]
    find: FindInstrument
    may_call: Callable[[], bool]


class Protector:
    """One account's triggers. `adopted` is called when an order of a trigger has become one of ours.

    `now` is the broker's time.
    """

    def __init__(
        self,
        reads: TriggerReads,
        calls: TriggerCalls,
        journal: CallJournal,
        sight: Sight,
        breaker: Breaker,
        state: WorkerState,
        *,
        broker: str,
        limit_percent: Decimal,
        now: Callable[[], float],
        adopted: Callable[[], None],
    ) -> None:
        self._reads = reads
        self._calls = calls
        self._journal = journal
        self._sight = sight
        self._breaker = breaker
        self._state = state
        self._broker = broker
        self._limit_percent = limit_percent
        self._now = now
        self._adopted = adopted
        self._options: Options | None = None
        self._options_at = float("-inf")
        self._prices: dict[int, int] = {}
        self._is_settling = False
        self._units: dict[str, int] = {}  # of our active triggers, as far as the broker has told
        self._refused: dict[str, tuple[Terms, float]] = {}
        self._news = asyncio.Event()
        self._urgent = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def is_needed(self) -> bool:
        """True while a strategy asks for stops, or some stand."""
        return bool(self._options or self._sight.triggers())

    def look(self) -> None:
        """Positions, exits or triggers may have changed: begin a round soon."""
        self._news.set()

    def note_prices(self, frame: TickFrame) -> None:
        """Keep the last prices of a frame."""
        self._prices.update((tick.instrument_token, tick.last_price_units) for tick in frame.ticks)

    def forget(self) -> None:
        """Partitions moved: what waits is decided again by whoever has them now."""
        self._calls.forget()
        self._units.clear()
        self.look()

    async def run(self) -> None:
        """Make rounds until cancelled; a broker that does not answer is asked again."""
        while True:
            self._news.clear()
            self._urgent.clear()
            try:
                await self.once()
                self._state.recovered(CONDITION)
            except SessionRefused:
                self._state.degraded(CONDITION, "The broker does not accept the session")
            except BrokerFailure as error:
                self._state.degraded(CONDITION, f"The broker's list of triggers cannot be read: {error}")
            except PartitionsMoved:
                log.info("protection_begins_again")
            except Exception as error:  # orders go on without their stops, and somebody is told
                self._state.degraded(CONDITION, f"A round failed: {type(error).__name__}: {error}")
                log.exception("protection_failed")
            ended, self._ended = self._ended, asyncio.Event()
            ended.set()
            await _wait(self._urgent, LEAST_SECONDS)
            await _wait(self._news, SETTLING_SECONDS if self._is_settling else EVERY_SECONDS)

    async def once(self) -> None:
        """One round. Raises SessionRefused, BrokerFailure, PartitionsMoved."""
        await self._read_options()
        if not self._sight.may_call() or not self.is_needed:
            return
        listing = await self._list()
        for one in news_of(self._sight.triggers(), listing):
            await self._take_note(one)
        await self._act(listing)
        self._tell(listing)

    async def _read_options(self) -> None:
        if time.monotonic() - self._options_at < OPTIONS_SECONDS:
            return
        try:
            self._options = await self._sight.options()
            self._options_at = time.monotonic()
        except TransientError as error:
            log.warning("protection_options_unreadable", error=str(error))

    async def _list(self) -> Listing:
        asked_at = int(self._now())
        found, problems = read_triggers(await self._reads.triggers())
        for problem in problems:
            metrics.BROKER_ROWS_UNREADABLE.labels(self._broker).inc()
            log.warning("trigger_unreadable", error=problem)
        owned = {number for record in self._sight.triggers().values() for number in record.standing}
        self._units = {
            number: one.terms.quantity
            for number, one in found.items()
            if number in owned and one.is_active and one.terms is not None
        }
        return Listing(triggers=found, asked_at=asked_at, is_whole=not problems)

    async def _take_note(self, one: TriggerStands | TriggerGone | Fired) -> None:
        if not isinstance(one, Fired):
            log.warning(
                "trigger_found_out", position=key_of(one.position), trigger=one.trigger_id, news=type(one).__name__
            )
            await self._journal.told(one)
            return
        at = one.outcome.at or int(self._now())
        if trading_day(at) == trading_day(int(self._now())):
            await self._journal.adopted(order_of(one), one.outcome.order_id, at)
            await self._calls.gone(one.position, one.trigger_id, FIRED)
            self._adopted()
        else:
            metrics.ORDER_ALARMS.labels(self._broker, AlarmKind.TRIGGER_UNSEEN.value).inc()
            log.error("trigger_fired_unseen", position=key_of(one.position), order=one.outcome.order_id)
            await self._calls.gone(one.position, one.trigger_id, ANOTHER_DAY)
        log.warning("trigger_fired", position=key_of(one.position), trigger=one.trigger_id)

    def _held(self) -> dict[str, Held] | None:
        """Every position; None while those or the options are unknown."""
        account, options = self._sight.account(), self._options
        if account is None or options is None:
            return None
        return held_positions(account, self._sight.orders(), options, self._sight.find, self._prices)

    def _position(self, key: str) -> Held | None:
        held = self._held()
        return None if held is None else held.get(key)

    def _exits(self) -> set[str]:
        """Positions with exits on their way."""
        return {_key(one.order) for one in self._sight.orders() if exiting_units(one)}

    async def _act(self, listing: Listing) -> None:
        """While positions or options are unknown, triggers of positions with exits are removed, and others left."""
        held, records, exits = self._held(), self._sight.triggers(), self._exits()
        if held is None:
            records = {key: one for key, one in records.items() if key in exits}
        actions = plan(held or {}, records, listing, self._limit_percent)
        failed: set[str] = set()
        for made, action in enumerate(sorted(actions, key=lambda one: key_of(one.position) not in exits)):
            key = key_of(action.position)
            if made and key not in exits and self._news.is_set():
                return  # something changed: decide again
            if key not in failed and not await self._do(action, listing, is_urgent=key in exits):
                failed.add(key)

    async def _do(self, action: Action, listing: Listing, *, is_urgent: bool) -> bool:
        """Make one call; False when it did not come through, or is not tried now."""
        if self._is_held_off(action) or (self._breaker.is_open and not is_urgent):
            return False
        match action:
            case PlaceTrigger():
                answer = await self._place(action, listing)
            case ModifyTrigger():
                answer = await self._modify(action, is_urgent=is_urgent)
            case DeleteTrigger():
                answer = await self._calls.delete(action)
        if isinstance(answer, Unknown):
            self.look()
        elif (
            isinstance(answer, Refused)
            and answer.kind is RefusalKind.REJECTED
            and not isinstance(action, DeleteTrigger)
        ):
            self._refused[key_of(action.position)] = action.terms, time.monotonic()
        return isinstance(answer, Taken)

    def _is_held_off(self, action: Action) -> bool:
        """True for terms that were refused a moment ago. A trigger is always removed."""
        if isinstance(action, DeleteTrigger):
            return False
        before, at = self._refused.get(key_of(action.position), (None, 0.0))
        return action.terms == before and time.monotonic() - at < REFUSED_SECONDS

    async def _place(self, action: PlaceTrigger, listing: Listing) -> Answer:
        position = action.position
        others = [one.trigger_id for one in listing.triggers.values() if one.instrument == position.instrument]

        def is_wanted() -> bool:
            held = self._position(key_of(position))
            return held is not None and held.left >= action.terms.quantity

        answer = await self._calls.place(action, others, is_wanted)
        if isinstance(answer, Taken):
            self._units[answer.broker_order_id] = action.terms.quantity
        return answer

    async def _modify(self, action: ModifyTrigger, *, is_urgent: bool) -> Answer:
        """Change a trigger; when an exit waits and the broker does not want to, remove it.

        Until there is an answer, or the list is read, nobody knows for how many units it stands.
        """
        before = self._units.pop(action.trigger_id, None)
        answer = await self._calls.modify(action, is_urgent=is_urgent)
        if isinstance(answer, Taken):
            self._units[action.trigger_id] = action.terms.quantity
        elif isinstance(answer, Refused) and is_urgent:
            return await self._calls.delete(DeleteTrigger(action.position, action.trigger_id))
        elif isinstance(answer, Refused) and before is not None:
            self._units[action.trigger_id] = before
        return answer

    def _tell(self, listing: Listing) -> None:
        """How things stand after a round."""
        records = self._sight.triggers()
        owned = {number for record in records.values() for number in record.standing}
        held = self._held() or {}
        bare = [key for key, one in held.items() if one.left and key not in records]
        self._is_settling = any(one.is_settling and one.left for one in held.values())
        metrics.TRIGGERS_STANDING.labels(self._broker).set(len(owned))
        metrics.TRIGGERS_FOREIGN.labels(self._broker).set(
            sum(one.is_active for number, one in listing.triggers.items() if number not in owned)
        )
        metrics.POSITIONS_UNPROTECTED.labels(self._broker).set(len(bare))

    def guards(self, order: PlannedOrder) -> bool:
        """True when a trigger of an exit's position stands, or may."""
        return _key(order) in self._sight.triggers()

    async def cleared(self, order: PlannedOrder) -> bool:
        """Wait until the exit and its position's trigger cannot sell the same units; False when that took too long."""
        try:
            async with asyncio.timeout(CLEAR_SECONDS):
                while self._sight.may_call():
                    if self._is_clear(_key(order)):
                        return True
                    ended = self._ended
                    self.look()
                    self._urgent.set()
                    await ended.wait()
        except TimeoutError:
            pass
        return self._is_clear(_key(order))

    def _is_clear(self, key: str) -> bool:
        record = self._sight.triggers().get(key)
        if record is None:
            return True
        if record.asked is not None or not record.standing.keys() <= self._units.keys():
            return False
        held = self._position(key)
        return sum(self._units[number] for number in record.standing) <= (0 if held is None else held.left)

    def refusal(self, order: PlannedOrder) -> str:
        """Why an exit is not to be sent: a trigger of its position has fired and left less than it wants."""
        fired = [one for one in self._sight.orders() if is_of_trigger(one.order) and _key(one.order) == _key(order)]
        held = self._position(_key(order))
        if not fired or held is None:
            return ""
        resting = sum(exiting_units(one) for one in fired)
        left = max(0, -order.side.sign * held.quantity - resting)
        return f"The stop at the exchange has fired: {left} units are left" if left < order.quantity else ""


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _key(order: PlannedOrder) -> str:
    return position_key(order.strategy, order.instrument, order.product)
