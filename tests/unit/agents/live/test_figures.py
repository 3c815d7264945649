"""What the metrics say of a live engine between its calls."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client import REGISTRY
from redis.exceptions import ConnectionError as RedisAway

from agents.live.breaker import Breaker
from agents.live.figures import Figures
from faust_app.runtime.exchange_clock import ExchangeClock
from models.messages.orders import OrderStatus
from tests.factories import order
from trading.orders.state import OrderRecord, submitted

S = OrderStatus
HEARD = 1_787_200_000  # the sandbox's clock
WALL = 1_795_000_000.0
BROKER = "figures"


class Budget:
    def __init__(self) -> None:
        self.is_away = False
        self.calls = {"minute": 12, "day": 340}

    async def left(self, _now: object) -> dict[str, int]:
        if self.is_away:
            raise RedisAway("away")
        return self.calls


def metric(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"alpha_panda_{name}", {"broker": BROKER, **labels})


def record(status: OrderStatus, attempted_at: int) -> OrderRecord:
    return replace(submitted(order()), status=status, attempted_at=attempted_at)


@pytest.fixture
def budget() -> Budget:
    return Budget()


async def once(budget: Any, *records: OrderRecord, breaker: Breaker | None = None, expires_at: int = 0) -> None:
    clock = ExchangeClock(is_simulated=False, is_sandbox=True, now=lambda: WALL)
    clock.hear(HEARD)
    session: Any = SimpleNamespace(expires_at=expires_at)
    figures = Figures(lambda: records, budget, session, breaker or Breaker(lambda: 0.0), clock, broker=BROKER)
    with suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await figures.run()


async def test_unknown_orders_are_dated_by_the_wall_clock_whatever_the_exchange_says(budget: Budget) -> None:
    asked = record(S.UNKNOWN, HEARD - 40), record(S.SUBMITTED, HEARD - 10)
    await once(budget, *asked, record(S.WORKING, HEARD - 99), record(S.SUBMITTED, 0), record(S.FILLED, HEARD - 500))
    assert metric("orders_unknown") == 2
    assert metric("orders_unknown_since_timestamp_seconds") == WALL - 40
    await once(budget)
    assert metric("orders_unknown") == 0
    assert metric("orders_unknown_since_timestamp_seconds") == 0


async def test_budget_session_and_breaker_are_shown_and_a_budget_that_is_away_keeps_its_last_figures(
    budget: Budget,
) -> None:
    breaker = Breaker(lambda: 0.0)
    for _ in range(5):
        breaker.failed()
    await once(budget, breaker=breaker, expires_at=1_787_275_800)
    assert metric("broker_breaker_open") == 1
    assert metric("kite_session_expiry_timestamp_seconds") == 1_787_275_800
    budget.is_away = True
    await once(budget)
    assert metric("broker_breaker_open") == 0
    assert metric("order_calls_left", window="minute") == 12
    assert metric("order_calls_left", window="day") == 340
