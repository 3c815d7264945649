"""A live engine on the sandbox exchange, with topics and tables in memory: it may be killed between any two effects.

The real client library talks to the real sandbox over loopback; budget and lease are in a real Redis. Kafka is a log in
memory that a killed worker leaves as it was. A kill stops everything of one incarnation at once; requests that have
left arrive all the same.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from agents.feed.order_updates import OrderUpdates
from agents.live import watch
from brokers.errors import BrokerFailure
from brokers.zerodha import client
from brokers.zerodha.portfolio import read_book
from brokers.zerodha.session import SessionStore, login, new_session_key
from faust_app.runtime import order_budget
from faust_app.runtime.codec import decode_any, encode, event_time, root
from faust_app.runtime.consume import Record
from faust_app.runtime.settings import Settings
from faust_app.runtime.topics import Topic, Topics
from models.messages.control import TradingState
from models.messages.orders import PlannedOrder
from sandbox.bodies import order_body
from tables.journal import Output
from tests.chaos.incarnation import BROKER, CONSUMED, OF_ORDERS, Effect, Incarnation
from tests.exchange import Exchange
from tests.factories import cancel_of, decision
from tests.unit.runtime.configurations import configured
from trading.accounting.account import Account, apply_fill, new_account
from trading.accounting.day import roll_day
from trading.market.instruments import Instrument
from trading.market.sessions import trading_day
from trading.orders.protection import Protection
from trading.orders.state import OrderRecord
from trading.reconciliation.compare import compare
from trading.reconciliation.difference import Difference, Readings

ACCOUNT = f"{BROKER}:main"
TIMES_FASTER = 20.0
LONGEST_TURN_SECONDS = 0.02  # on a machine that has no time for us, patience is not lost faster than requests arrive
SETTLE_SECONDS = 30.0
MOST_READS = 50
LATER_SECONDS = 40  # after the grace and the patience; before an order counts as stuck
ENDS = ("COMPLETE", "CANCELLED", "REJECTED")


@contextmanager
def quick(pace_microseconds: int = 0, look_seconds: float = 0.05) -> Iterator[None]:
    """Order calls at another pace, none by default, reads at none, and an order book that is read often."""
    with ExitStack() as stack:
        for module, name, value in (
            (order_budget, "INTERVAL", pace_microseconds),
            (order_budget, "MOST_A_MINUTE", 10**6),
            (client, "READ_SECONDS", 0),
            (watch, "BUSY_SECONDS", look_seconds),
            (watch, "QUIET_SECONDS", look_seconds),
        ):
            stack.enter_context(patch.object(module, name, value))
        yield


def live_settings(exchange: Exchange, session_file: Any, redis_port: int, namespace: str) -> Settings:
    """A live account at the sandbox, logged in."""
    sessions, key = exchange.sandbox.sessions, new_session_key()
    session = login(exchange.root, sessions.api_key, sessions.api_secret, sessions.new_request_token(), time.time())
    SessionStore(session_file, key).write(session)
    return configured(
        namespace=namespace,
        redis={"port": redis_port},
        kite={
            "root": exchange.root,
            "api_key": sessions.api_key,
            "session_file": session_file,
            "session_key": key,
            "timeout_seconds": 0.5,
        },
        brokers={BROKER: {"enabled": True, "execution": "live", "most_age_seconds": 10**9}},
    )


class LiveWorld:
    """The account's world over all lives of its worker. `fatal` names effects that kill: the kind, and which of it."""

    def __init__(self, exchange: Exchange, settings: Settings) -> None:
        self.exchange = exchange
        self.settings = settings
        self.topics = Topics(settings)
        self.instruments: list[Instrument] = [one for one in exchange.sandbox.broker.catalogue if one.is_tradable]
        self.prices: dict[str, int] = {}
        self.opened_at = 0
        self._open()
        self.tables: dict[str, dict[str, bytes]] = {}
        self.trading_state: TradingState | None = TradingState.ACTIVE  # None: the one in Redis
        self.steps: Counter[Effect] = Counter()
        self.fatal: set[tuple[Effect, int]] = set()
        self.kills: list[Effect] = []
        self.died = asyncio.Event()
        self._logs: dict[str, list[bytes]] = {}
        self._done: dict[Topic, int] = {}
        self._news = asyncio.Event()
        self._looked, self._ahead = time.monotonic(), 0.0
        self._passed = self.now()
        self.life: Incarnation | None = None
        self._loop = asyncio.get_running_loop()
        self._forwarder = OrderUpdates(
            SimpleNamespace(name=self.topics.name, partition=lambda group: 0),  # type: ignore[arg-type]
            [BROKER],
            str,
            source="market_feed",
        )
        exchange.sandbox.broker.updates._send = self._push

    def new_life(self) -> Incarnation:
        """Another worker on the same tables and topics."""
        return Incarnation(self)

    async def _push(self, text: str) -> None:
        """In the exchange's loop: what the market feed does with a text frame."""
        outputs = self._forwarder.outputs(text.encode(), self.now())
        self._loop.call_soon_threadsafe(self.append, outputs)

    def _open(self) -> None:
        """Every instrument has a price and a book."""
        for number, one in enumerate(self.instruments):
            price = 1_000 + 100 * number
            self.prices[one.key] = price * 10_000
            levels = [[price - 0.05, 10_000]], [[price + 0.05, 10_000]]
            self.exchange.tick(one.key, price, buy=levels[0], sell=levels[1])
        self.opened_at = int(self.exchange.sandbox.broker.clock.now)

    def now(self) -> float:
        """A wall clock that runs faster, so that patience is not waited for, while the world gets its turns."""
        return time.time() + self._ahead

    def is_fatal(self, what: Effect) -> bool:
        self.steps[what] += 1
        if (what, self.steps[what]) not in self.fatal:
            return False
        self.kills.append(what)
        return True

    def die_soon(self, rng: Random, kills: int, within: int) -> None:
        """Be killed at some of the next effects, of whatever kind."""
        chosen = (rng.choice(OF_ORDERS) for _ in range(kills))
        self.fatal |= {(effect, self.steps[effect] + rng.randint(1, within)) for effect in chosen}

    def append(self, outputs: list[Output]) -> None:
        for output in outputs:
            assert output.value is not None
            self._logs.setdefault(output.topic, []).append(output.value)
        self._news.set()

    def next_record(self, topic: Topic) -> Record | None:
        name, offset = self.topics.name(topic, BROKER), self._done.get(topic, 0)
        log = self._logs.get(name, [])
        return Record(name, 0, offset, None, log[offset], {}) if offset < len(log) else None

    def commit(self, topic: Topic) -> None:
        self._done[topic] = self._done.get(topic, 0) + 1

    async def wait_for_messages(self) -> None:
        self._news.clear()
        if any(self.next_record(topic) is not None for topic in CONSUMED):
            return
        await self._news.wait()

    def accept(self, order: PlannedOrder) -> None:
        """Risk approves an order."""
        name = self.topics.name(Topic.SIGNALS_VALIDATED, BROKER)
        self.append([Output(name, ACCOUNT.encode(), encode(decision(order, BROKER, ACCOUNT)))])

    def cancel(self, order: PlannedOrder) -> None:
        """Somebody wants the rest of an order cancelled."""
        self.say(Topic.ORDERS_SUBMITTED, cancel_of(order, order.event_time), f"cancel of {order.order_id}")

    def say(self, topic: Topic, body: Any, message_id: str) -> None:
        """A message of another stage."""
        at = event_time(self.opened_at)
        envelope = root(body, message_id=message_id, broker=BROKER, key=ACCOUNT, source="test", at=at)
        self.append([Output(self.topics.name(topic, BROKER), ACCOUNT.encode(), encode(envelope))])

    def born(self, life: Incarnation) -> None:
        """A life has begun, and has not done anything yet."""

    def books(self) -> Account | None:
        """The portfolio manager's account, as last published."""
        return None

    async def options(self) -> dict[str, Protection]:
        """Which strategies ask for stops at the exchange."""
        return {}

    async def run_until(self, condition: Callable[[], bool], what: str) -> None:
        """Run, restarting the worker whenever it is killed, until the condition holds."""
        deadline = self._ahead + SETTLE_SECONDS * TIMES_FASTER
        while not condition():
            assert self._ahead < deadline, f"{what}: {self.describe()}"
            if self.life is None:
                self.died.clear()
                self.life = self.new_life()
                await self.life.start()
                self.born(self.life)
            if self.died.is_set():
                await self.life.end()
                self.life = None
                continue
            self._let_time_pass()
            await asyncio.sleep(0.005)

    def _let_time_pass(self) -> None:
        """The exchange's clock, which delays of orders run on, keeps up with the wall clock."""
        now = time.monotonic()
        self._ahead += min(now - self._looked, LONGEST_TURN_SECONDS) * (TIMES_FASTER - 1)
        self._looked = now
        if self.now() - self._passed >= 1:
            self.exchange.ask("POST", "/clock", {"seconds": int(self.now() - self._passed)})
            self._passed = self.now()

    async def stop_life(self) -> None:
        """Stop the worker; the next run begins another."""
        if self.life is not None:
            await self.life.end()
            self.life = None

    async def end(self) -> None:
        """Stop the worker for good."""
        await self.stop_life()

    def records(self) -> dict[str, OrderRecord]:
        """Our orders by tag."""
        if self.life is None:
            return {}
        return {record.order.tag: record for _, record in self.life.engine._orders.states()}

    def events(self, topic: Topic) -> list[Any]:
        """Bodies on a topic, each once."""
        found = {one.id: one.data for one in map(decode_any, self._logs.get(self.topics.name(topic, BROKER), []))}
        return list(found.values())

    @property
    def logs(self) -> dict[str, list[bytes]]:
        """Every message there was, by topic."""
        return self._logs

    def repeat(self, topic: Topic) -> None:
        """Everything on a topic comes once more."""
        name = self.topics.name(topic, BROKER)
        self.append([Output(name, None, value) for value in list(self._logs.get(name, ()))])

    def book(self) -> list[dict[str, Any]]:
        """The exchange's own list of orders."""
        return self.exchange.call(lambda: [order_body(one) for one in self.exchange.sandbox.broker.book])

    def has_settled(self, orders: list[PlannedOrder]) -> bool:
        """Every order has reached the exchange or its end, and nothing is on its way."""
        ours = self.records()
        known = [ours.get(one.tag) for one in orders]
        return (
            self.is_idle()
            and self.life is not None
            and not self.life.live._dispatcher.in_flight
            and all(one is not None and (one.status.is_terminal or one.broker_order_id) for one in known)
            and self._agrees(ours)
        )

    def _agrees(self, ours: dict[str, OrderRecord]) -> bool:
        rows = [(ours[row["tag"]], row) for row in self.book() if row["tag"] in ours]
        return all(
            (one.filled_quantity, one.status.is_terminal) == (row["filled_quantity"], row["status"] in ENDS)
            for one, row in rows
        )

    def has_ended(self, order: PlannedOrder) -> bool:
        """It will not fill further."""
        found = self.records().get(order.tag)
        return found is not None and found.status.is_terminal

    def filled_quantities(self) -> dict[str, int]:
        """By tag, the sum of the fills that were published."""
        found: dict[str, int] = {}
        for one in self.events(Topic.ORDERS_FILLED):
            found[one.order.tag] = found.get(one.order.tag, 0) + one.quantity
        return found

    def is_idle(self) -> bool:
        """Nothing waits to be handled."""
        return self.life is not None and all(self.next_record(topic) is None for topic in CONSUMED)

    async def differences(self) -> tuple[Difference, ...]:
        """What differs in the end between the books of this world and those of an exchange that has no other user."""
        assert self.life is not None
        client = self.life.live._client
        book = read_book(
            orders=await _read(client.orders),
            trades=await _read(client.trades),
            positions=await _read(client.positions),
            holdings=await _read(client.holdings),
        )
        account = new_account(ACCOUNT, self.settings.brokers[BROKER].start_cash)
        now = int(self.exchange.sandbox.broker.clock.now)
        roll_day(account, trading_day(now))
        by_token = {one.instrument_token: one for one in self.instruments}
        for filled in self.events(Topic.ORDERS_FILLED):
            apply_fill(account, filled, by_token[filled.order.instrument_token])
        return compare(Readings(orders=self.records(), account=account, broker=book), now + LATER_SECONDS)

    def describe(self) -> str:
        """For a failure: where orders stand, those that have not ended first."""
        ours = sorted(self.records().values(), key=lambda one: one.status.is_terminal)
        told = [(one.order.tag, one.status.value, one.filled_quantity, one.reason) for one in ours]
        return f"kills {self.kills}, {len(told)} orders, among them {told[:20]}"


async def _read(call: Callable[[], Awaitable[list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """Rows of the exchange, however often its faults strike."""
    for _ in range(MOST_READS):
        with suppress(BrokerFailure):
            return await call()
    raise AssertionError(f"{MOST_READS} readings failed")
