"""A live account is flat before its intraday positions have to be, by the clock alone, and opens none any more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path

import pytest

from models.messages.orders import OrderType, Product, Side
from tests.chaos.crashes import new_exchange, new_namespace
from tests.chaos.flatten_world import FlattenWorld, hurried
from tests.chaos.live_world import live_settings
from tests.exchange import Exchange
from tests.integration.test_flatten import hold, is_flat, never_crossed, rest
from tests.unit.runtime.redis_server import RedisServer
from trading.market.sessions import square_off

DAY = date(2026, 8, 20)
LEAD_SECONDS = 120  # the setting's default
BEFORE_SECONDS = 150  # the world begins so long before


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    running = new_exchange()
    due = square_off(next(one for one in running.sandbox.broker.catalogue if one.is_tradable), DAY)
    assert due is not None
    running.ask("POST", "/clock", {"seconds": due - LEAD_SECONDS - BEFORE_SECONDS - running.sandbox.broker.clock.now})
    yield running
    running.stop()


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    found = RedisServer(tmp_path_factory.mktemp("redis"))
    found.start()
    yield found
    found.stop()


@pytest.fixture
async def world(exchange: Exchange, redis: RedisServer, tmp_path: Path) -> AsyncIterator[FlattenWorld]:
    with hurried():
        found = FlattenWorld(exchange, live_settings(exchange, tmp_path / "session", redis.port, new_namespace()))
        await found.allow()
        yield found
        await found.end()


async def test_flat_before_it_has_to_be_with_the_feed_down_and_a_thin_book(world: FlattenWorld) -> None:
    await hold(world)
    rest(world)
    first, _, third, _, fifth = world.instruments
    world.wish("delivery", fifth, side=Side.BUY, quantity=3, product=Product.CNC, strategy="rsi")
    await world.run_until(lambda: len(world.working()) == 2 and world.positions().get(fifth.key) == 3, "it rests")
    world.book_of(third, "2.5")
    due = square_off(third, DAY)
    assert due is not None
    assert world.second() < due - LEAD_SECONDS, "nothing is due yet"
    assert [one.order_type for one in world.exits()] == [OrderType.LIMIT]
    assert len(world.positions()) == 5
    await world.run_until(lambda: world.positions() == {fifth.key: 3} and not world.working(), "flat")
    assert due - LEAD_SECONDS < world.second() < due
    assert never_crossed(world)
    world.wish("too late", first, side=Side.BUY, quantity=1)
    await world.run_until(lambda: len(world.denials()) == 1, "a denial")
    assert [one.code for one in world.denials()] == ["square_off"]


async def test_an_entry_that_fills_although_it_was_cancelled_is_left_too(world: FlattenWorld) -> None:
    await hold(world)
    rest(world)
    _, _, third, _, fifth = world.instruments
    await world.run_until(lambda: len(world.working()) == 2, "it rests")
    world.exchange.fault("fill_after_cancel", probability=1.0, seconds=5, instruments=[fifth.key])
    due = square_off(third, DAY)
    assert due is not None
    await world.run_until(lambda: world.paths().get(fifth.key, [])[-2:] == [7, 0] and is_flat(world), "flat")
    assert world.second() < due
    assert never_crossed(world)
