"""A process that has far more order calls to make than an account may: entries, exits, and cancels of what rests.

    python -m tests.chaos.burst <<< '{"name": "a", "kite": {...}, "redis": {...}, "namespace": "...", ...}'

The dispatcher, the budget, the lease and the client are the real ones; marks and reports are durable at once. With
`borrows` it calls under whatever lease is held, as a second process of the same runner would. Runs until it is ended.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
from redis.exceptions import RedisError

from agents.live.breaker import Breaker
from agents.live.calls import Cancel, Place
from agents.live.dispatcher import Dispatcher
from agents.live.writes import ZerodhaWrites
from brokers.zerodha.client import ZerodhaClient
from faust_app.runtime import lease as lease_module
from faust_app.runtime.kite_session import endpoint, session_view
from faust_app.runtime.lease import Lease
from faust_app.runtime.order_budget import Grant, OrderBudget
from faust_app.runtime.redis_keys import RedisKeys
from faust_app.runtime.trading_state import redis_client
from models.messages.orders import OrderStatus, OrderType, OrderUpdate, PlannedOrder
from tests.factories import order
from tests.unit.runtime.configurations import configured

ACCOUNT = "zerodha:main"
WAITING = 12
LOOK_SECONDS = 0.05


class Plan(msgspec.Struct, frozen=True):
    """What one process does. `price` is far from the market, so that what enters rests.

    Every two seconds marks are not durable for `hiccup_seconds`, and then all of them at once.
    """

    name: str
    settings: dict[str, Any]
    instrument: str
    token: int
    price: str
    borrows: bool = False
    lease_seconds: float = 10.0
    hiccup_seconds: float = 0.0
    seed: int = 0


class Burst:
    """The process: also its dispatcher's journal and budget."""

    def __init__(self, plan: Plan) -> None:
        lease_module.LEASE_SECONDS, lease_module.RENEW_SECONDS = plan.lease_seconds, plan.lease_seconds / 5
        settings = configured(**plan.settings)
        self._plan = plan
        self._rng = Random(f"{plan.seed}/{plan.name}")
        self._redis = redis_client(settings)
        self._key = RedisKeys(settings).lease(ACCOUNT)
        self._lease = Lease(settings, self._redis, ACCOUNT)
        self._borrowed = ""
        self._budget = OrderBudget(settings, self._redis, ACCOUNT)
        self._numbers = itertools.count(1)
        self._dispatcher = Dispatcher(
            ZerodhaWrites("zerodha", ZerodhaClient(endpoint(settings, session_view(settings), "zerodha"))),
            self,
            self,
            lambda order: "",
            Breaker(time.monotonic),
            now=time.time,
            uncertain=lambda: None,
        )

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.gather(self._follow() if self._plan.borrows else self._lease.run(), self._load(), self._call())

    async def _call(self) -> None:
        """Once there is a lease: without one everything would be denied at once."""
        while not self._value:
            await asyncio.sleep(LOOK_SECONDS)
        await self._dispatcher.run()

    @property
    def _value(self) -> str:
        return self._borrowed or self._lease.value

    async def _follow(self) -> None:
        while True:
            with suppress(RedisError, OSError):
                self._borrowed = str(await self._redis.get(self._key) or "")
            await asyncio.sleep(LOOK_SECONDS)

    async def _load(self) -> None:
        """There is always more to do than may be done."""
        while True:
            for _ in range(WAITING - len(self._dispatcher._queue)):
                self._dispatcher.offer(Place(self._order()))
            await asyncio.sleep(LOOK_SECONDS)

    def _order(self) -> PlannedOrder:
        name, reduces = f"{self._plan.name}{next(self._numbers)}", self._rng.random() < 0.2
        prices: dict[str, Any] = {} if reduces else {"limit_price": Decimal(self._plan.price)}
        return order(
            order_id=name,
            tag=f"{'exit' if reduces else 'entry'}{name}",
            account=ACCOUNT,
            instrument=self._plan.instrument,
            instrument_token=self._plan.token,
            quantity=1,
            order_type=OrderType.MARKET if reduces else OrderType.LIMIT,
            reduces=reduces,
            **prices,
        )

    async def attempted(self, order: PlannedOrder) -> None:
        """Durable at once, or when the hiccup is over."""
        second = time.monotonic() % 2
        if second < self._plan.hiccup_seconds:
            await asyncio.sleep(self._plan.hiccup_seconds - second)

    async def report(self, update: OrderUpdate) -> None:
        """Durable at once; some of what rests is cancelled."""
        if update.status is OrderStatus.WORKING and self._rng.random() < 0.4:
            self._dispatcher.offer(Cancel(update.order_id, update.broker_order_id))

    async def take(self, *, is_exit: bool) -> Grant:
        """The shared budget."""
        return await self._budget.take(self._value, is_exit=is_exit, now=datetime.now(UTC))

    def take_locally(self) -> Grant:
        """The process's own."""
        return self._budget.take_locally()


def main() -> None:
    """Run from the command line."""
    asyncio.run(Burst(msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)).run())


if __name__ == "__main__":
    main()
