"""Two brokers that must behave alike: the paper exchange, and Zerodha on the sandbox, each behind its engine.

A venue's market is what was quoted last: a bid and an ask one rupee from the last price, `depth` units on each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from faust_app.runtime.codec import decode_any
from faust_app.runtime.topics import Topic, Topics
from models.messages import ids
from models.messages.envelope import Envelope
from models.messages.orders import OrderFilled, OrderType, OrderUpdate, PlannedOrder, Side
from models.messages.ticks import Level, to_units
from tests.chaos.crashes import new_exchange
from tests.chaos.incarnation import Effect
from tests.chaos.live_world import LiveWorld, live_settings, quick
from tests.engine_loop import Loop
from tests.factories import AT, instrument, order, tick
from trading.market.instruments import Instrument
from trading.matching.rules import MatchingRules
from trading.orders.state import OrderRecord

PRICE = 1_000
DEEP = 10_000
NUMBERS = count(1)
CLOSING_AUCTION = AT + (6 * 60 + 36) * 60  # 15:21 IST, when it takes orders
TOLD = (Topic.ORDERS_ACK, Topic.ORDERS_FILLED, Topic.ORDERS_FAILED)


class Venue(Protocol):
    """A broker behind its engine."""

    broker: str
    instrument: Instrument
    topics: Topics

    @property
    def logs(self) -> dict[str, list[bytes]]:
        """Every message there was, by topic."""

    @property
    def clock(self) -> int:
        """The market's event second."""

    async def quote(self, price: int, depth: int = DEEP) -> None:
        """The market moves, and meets what rests."""

    async def place(self, *orders: PlannedOrder) -> None:
        """Risk approves orders; returns when each has met the market as it stands."""

    async def cancel(self, one: PlannedOrder) -> None:
        """Somebody wants the rest of an order cancelled; returns when it has ended."""

    async def repeat(self, topic: Topic) -> None:
        """Everything on a topic comes once more; returns when it was handled."""

    async def place_through_a_death(self, one: PlannedOrder, *, is_stored: bool) -> None:
        """As `place`, but the worker dies with the intent in its hands, before or after it stored the order."""

    async def doomed(self, number: int) -> tuple[PlannedOrder, str]:
        """An order this broker rejects, and a word of its reason. There are two."""

    def records(self) -> dict[str, OrderRecord]:
        """Our orders by id."""

    def booked(self, one: PlannedOrder) -> list[tuple[int, Decimal]]:
        """Filled quantity and average price of each order the broker itself has with this one's tag."""


class PaperVenue:
    """The paper exchange."""

    broker = "paper"

    def __init__(self) -> None:
        self.instrument = instrument(has_derivatives=True)
        self._loop = Loop(MatchingRules(), listed=self.instrument)
        self.topics = self._loop.topics
        self.clock = AT + 3600  # 09:45 IST
        self._sequence = 0
        self._standing = PRICE, DEEP

    @property
    def logs(self) -> dict[str, list[bytes]]:
        return self._loop.logs

    async def quote(self, price: int, depth: int = DEEP) -> None:
        self._standing = price, depth
        self.clock += 1
        self._sequence += 1
        book = {"buy": (level(price - 1, depth),), "sell": (level(price + 1, depth),)}
        shown = tick(price=to_units(Decimal(price)), sequence=self._sequence, at=self.clock, volume=1000, **book)
        await asyncio.to_thread(self._loop.frame, self.clock, shown)
        await self._settle()

    async def _settle(self) -> None:
        await asyncio.to_thread(self._loop.settle)

    async def _meet_the_market(self) -> None:
        await self._settle()
        await self.quote(*self._standing)

    async def place(self, *orders: PlannedOrder) -> None:
        for one in orders:
            self._loop.accept(one)
        await self._meet_the_market()

    async def cancel(self, one: PlannedOrder) -> None:
        self._loop.cancel(one, self.clock)
        await self._meet_the_market()

    async def repeat(self, topic: Topic) -> None:
        self._loop.repeat(topic)
        await self._settle()

    async def place_through_a_death(self, one: PlannedOrder, *, is_stored: bool) -> None:
        self._loop.accept(one)
        await asyncio.to_thread(self._loop.handle, Topic.SIGNALS_VALIDATED)
        if is_stored:
            await asyncio.to_thread(self._loop.handle, Topic.ORDERS_SUBMITTED, dies=True)
        self._loop.restart()
        await self._meet_the_market()

    async def doomed(self, number: int) -> tuple[PlannedOrder, str]:
        self.clock = CLOSING_AUCTION
        await self.quote(PRICE)
        if number:
            return limit(self, PRICE + 50), "price band"
        return new(self, order_type=OrderType.SL_M, trigger_price=Decimal(PRICE + 5)), "takes no stop orders"

    def records(self) -> dict[str, OrderRecord]:
        return self._loop.records()

    def booked(self, one: PlannedOrder) -> list[tuple[int, Decimal]]:
        """The exchange's own reports, the last of each number it has given."""
        found: dict[str, tuple[int, Decimal]] = {}
        for report in messages(self, Topic.ORDERS_UPDATES):
            if isinstance(report.data, OrderUpdate) and report.data.order_id == one.order_id:
                found[report.data.broker_order_id] = report.data.cumulative_quantity, report.data.average_price
        return list(found.values())


class ZerodhaVenue:
    """The real client on the sandbox."""

    broker = "zerodha"

    def __init__(self, world: LiveWorld) -> None:
        self._world = world
        self.instrument = world.instruments[0]
        self.topics = world.topics
        self.clock = world.opened_at
        self._orders: list[PlannedOrder] = []

    @property
    def logs(self) -> dict[str, list[bytes]]:
        return self._world.logs

    async def quote(self, price: int, depth: int = DEEP) -> None:
        book = {"buy": [[price - 1, depth]], "sell": [[price + 1, depth]]}
        self._world.exchange.tick(self.instrument.key, price, **book)
        await self._settle()

    async def _settle(self) -> None:
        await self._world.run_until(lambda: self._world.has_settled(self._orders), "orders settle")

    async def place(self, *orders: PlannedOrder) -> None:
        for one in orders:
            self._orders.append(one)
            self._world.accept(one)
        await self._settle()

    async def cancel(self, one: PlannedOrder) -> None:
        self._world.cancel(one)
        await self._settle()
        await self._world.run_until(lambda: self._world.has_ended(one), "the cancel comes through")

    async def repeat(self, topic: Topic) -> None:
        self._world.repeat(topic)
        await self._settle()

    async def place_through_a_death(self, one: PlannedOrder, *, is_stored: bool) -> None:
        effect = Effect.AFTER_THE_TABLE_WRITE if is_stored else Effect.BEFORE_DECIDING
        self._world.fatal = {(effect, self._world.steps[effect] + 2)}  # the signal, then the intent
        await self.place(one)
        assert self._world.kills == [effect]

    async def doomed(self, number: int) -> tuple[PlannedOrder, str]:
        if number:
            return limit(self, PRICE * 2), "circuit"
        return limit(self, PRICE, quantity=100_000), "Insufficient funds"

    def records(self) -> dict[str, OrderRecord]:
        return {record.order.order_id: record for record in self._world.records().values()}

    def booked(self, one: PlannedOrder) -> list[tuple[int, Decimal]]:
        rows = [row for row in self._world.book() if row["tag"] == one.tag]
        return [(row["filled_quantity"], Decimal(str(row["average_price"]))) for row in rows]


@asynccontextmanager
async def opened(broker: str, folder: Path, redis_port: int) -> AsyncIterator[Venue]:
    """A venue whose market is quoted at `PRICE`."""
    if broker == PaperVenue.broker:
        paper = PaperVenue()
        await paper.quote(PRICE)
        yield paper
        return
    exchange = new_exchange()
    try:
        world = LiveWorld(exchange, live_settings(exchange, folder / "session", redis_port, f"card{next(NUMBERS)}."))
        with quick():
            zerodha = ZerodhaVenue(world)
            await zerodha.quote(PRICE)
            yield zerodha
            await world.end()
    finally:
        exchange.stop()


def level(price: int, quantity: int) -> Level:
    """One level of a book; price in rupees."""
    return Level(to_units(Decimal(price)), quantity, 1)


def new(venue: Venue, **values: Any) -> PlannedOrder:
    """A market order to buy 10, of a signal of its own."""
    name = f"card-{next(NUMBERS)}"
    order_id = ids.order_id(name, 0)
    defaults = {
        "order_id": order_id,
        "signal_id": name,
        "account": f"{venue.broker}:main",
        "instrument": venue.instrument.key,
        "instrument_token": venue.instrument.instrument_token,
        "tag": ids.order_tag(order_id),
        "event_time": venue.clock,
        "tick_sequence": 0,
        "received_ns": int(time.time() * 1e9),
    }
    return order(**{**defaults, **values})


def limit(venue: Venue, price: int, **values: Any) -> PlannedOrder:
    """A limit order to buy 10."""
    return new(venue, order_type=OrderType.LIMIT, limit_price=Decimal(price), **values)


def sell(venue: Venue, price: int, **values: Any) -> PlannedOrder:
    """A limit order to sell 10."""
    return limit(venue, price, side=Side.SELL, **values)


def messages(venue: Venue, topic: Topic) -> list[Envelope[Any]]:
    """What is on a topic, each once: of events, messages with one id are one message."""
    found: dict[str, Envelope[Any]] = {}
    for raw in venue.logs.get(venue.topics.name(topic, venue.broker), ()):
        envelope = decode_any(raw)
        again = found.setdefault(envelope.id, envelope)
        assert topic not in TOLD or again.data == envelope.data, "one id, two messages"
    return list(found.values())


def fills(venue: Venue, one: PlannedOrder) -> list[OrderFilled]:
    """The order's fills as they were told."""
    return [found.data for found in messages(venue, Topic.ORDERS_FILLED) if found.data.order.order_id == one.order_id]


def failures(venue: Venue, one: PlannedOrder) -> list[Any]:
    """That the order failed, as it was told."""
    return [found.data for found in messages(venue, Topic.ORDERS_FAILED) if found.data.order.order_id == one.order_id]
