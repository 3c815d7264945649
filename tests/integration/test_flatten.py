"""Everything is closed at the exchange: with the feed down, over thin books and restarts, and nothing twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from faust_app.runtime.trading_state import Left
from models.messages.control import TradingState
from models.messages.orders import OrderStatus, OrderType, Product, Side
from models.messages.signals import Intent
from models.messages.ticks import to_rupees
from tests.chaos.crashes import new_exchange, new_namespace
from tests.chaos.flatten_world import ENGINE, RISK, FlattenWorld, hurried
from tests.chaos.live_world import live_settings
from tests.exchange import Exchange
from tests.unit.runtime.redis_server import RedisServer

BUY, SELL = Side.BUY, Side.SELL


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    running = new_exchange()
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


async def hold(world: FlattenWorld, quantity: int = 10) -> None:
    """A long position in each of the first three instruments, two strategies in the first, and a short one."""
    first, second, third, fourth, _ = world.instruments
    await world.run_until(lambda: world.follows, "the states")
    for one in (first, second, third):
        world.wish(f"buy {one.key}", one, side=BUY, quantity=quantity)
    world.wish("another's", first, side=BUY, quantity=5, strategy="rsi")
    world.wish("short", fourth, side=SELL, quantity=quantity)
    expected = {
        f"{first.key} momentum": quantity,
        f"{first.key} rsi": 5,
        f"{second.key} momentum": quantity,
        f"{third.key} momentum": quantity,
        f"{fourth.key} momentum": -quantity,
    }
    await world.run_until(lambda: world.believed() == expected and world.is_idle(), "positions")
    bought = world.second()
    await world.run_until(lambda: world.second() > bought, "the next second: signals of this one come before its fills")


def rest(world: FlattenWorld) -> None:
    """Two orders that rest: an entry, and an exit of the second instrument at a far limit."""
    _, second, _, _, fifth = world.instruments
    for name, one, side, quantity, away in (("entry", fifth, BUY, 7, 98), ("target", second, SELL, 10, 101)):
        price = to_rupees(world.prices[one.key]) * away / 100
        limit = (price / one.tick_size).to_integral_value() * one.tick_size
        world.wish(name, one, side=side, quantity=quantity, order_type=OrderType.LIMIT, limit_price=limit)


def is_flat(world: FlattenWorld) -> bool:
    return not world.positions() and not world.believed() and not world.working() and world.is_idle()


def never_crossed(world: FlattenWorld) -> bool:
    """No position has passed zero."""
    return all(min(path) >= 0 or max(path) <= 0 for path in world.paths().values())


async def test_working_orders_are_cancelled_and_positions_closed_with_the_feed_down(world: FlattenWorld) -> None:
    await hold(world)
    rest(world)
    await world.run_until(lambda: len(world.working()) == 2, "resting orders")
    await world.flatten()
    await world.run_until(lambda: is_flat(world), "flat")
    assert never_crossed(world)
    cancelled = [one.order.quantity for one in world.events_failed() if one.outcome is OrderStatus.CANCELLED]
    assert sorted(cancelled) == [7, 10]
    assert [one.order_type for one in world.exits()].count(OrderType.LIMIT) == 1


async def test_an_exit_without_a_market_is_priced_again_wider_each_time(world: FlattenWorld) -> None:
    await hold(world)
    third = world.instruments[2]
    world.book_of(third, "2.5")
    await world.flatten()
    await world.run_until(lambda: is_flat(world), "flat")
    exits = [row for row in world.exits() if row.instrument == third.key]
    assert [one.market_protection for one in exits] == [Decimal(-1), Decimal(1), Decimal(2), Decimal(3)]
    assert len({one.order_id for one in exits}) == 4
    assert never_crossed(world)


async def test_after_the_last_try_a_person_has_to_act_and_may_ask_again(world: FlattenWorld) -> None:
    await hold(world)
    third = world.instruments[2]
    world.book_of(third, "8")
    await world.flatten()
    await world.run_until(
        lambda: "a person has to act" in " ".join(world.life.risk._exits.left() or []), "the last try"
    )
    sent = len([one for one in world.exits() if one.instrument == third.key])
    assert sent == 5
    assert list(world.positions()) == [third.key]
    world.book_of(third, "0.01")
    await world.flatten()
    await world.run_until(lambda: is_flat(world), "flat")
    assert never_crossed(world)


async def test_the_workers_tell_what_is_left(world: FlattenWorld) -> None:
    await hold(world)
    third = world.instruments[2]
    world.book_of(third, "8")
    revision = await world.flatten("strategy:momentum")

    async def told() -> dict[str, Left]:
        while True:
            left = await world.store.left()
            if {RISK, ENGINE} <= left.keys() and len(left[RISK].lines) == 1 and left[ENGINE].lines:
                return left

    left = await world.run_while(told())
    assert left[RISK].revision == left[ENGINE].revision == revision
    assert left[RISK].lines[0].startswith(f"momentum holds 10 {third.key} (MIS)")
    assert left[ENGINE].lines[0].startswith(f"SELL 10 {third.key} of momentum")


async def test_only_the_strategy_in_scope_is_closed(world: FlattenWorld) -> None:
    await hold(world)
    first = world.instruments[0]
    await world.flatten("strategy:momentum")
    await world.run_until(lambda: world.believed() == {f"{first.key} rsi": 5} and not world.working(), "one is left")
    assert world.positions() == {first.key: 5}


async def test_resume_ends_it(world: FlattenWorld) -> None:
    await hold(world)
    third = world.instruments[2]
    world.book_of(third, "8")
    await world.flatten()
    await world.run_until(lambda: list(world.positions()) == [third.key], "one is left")
    await world.store.write("all", TradingState.ACTIVE, "test", "")
    await world.run_until(lambda: not world.life.engine._trading_state.flattening("zerodha"), "resumed")
    await world.run_until(lambda: not world.working() and world.is_idle(), "the last exit ends")
    assert list(world.positions()) == [third.key]


async def test_a_bracketed_position_is_closed_once(world: FlattenWorld) -> None:
    """Its stop rests at the exchange; the exit takes its place, with nobody but the wall clock to say so."""
    await hold(world)
    fifth = world.instruments[4]
    price = to_rupees(world.prices[fifth.key])
    world.wish("bracket", fifth, side=BUY, quantity=20, stop_loss=price * 9 / 10)
    await world.run_until(lambda: [row["order_type"] for row in world.working()] == ["SL-M"], "the stop rests")
    await world.flatten()
    await world.run_until(lambda: is_flat(world), "flat")
    assert never_crossed(world)


async def test_delivery_is_closed_too(world: FlattenWorld) -> None:
    await hold(world)
    fifth = world.instruments[4]
    world.wish("delivery", fifth, side=BUY, quantity=3, product=Product.CNC)
    await world.run_until(lambda: world.positions().get(fifth.key) == 3, "bought")
    await world.flatten()
    await world.run_until(lambda: is_flat(world), "flat")
    assert never_crossed(world)


@pytest.mark.parametrize("seed", range(3))
async def test_kills_in_the_middle_change_nothing(world: FlattenWorld, seed: int) -> None:
    await hold(world)
    rest(world)
    third = world.instruments[2]
    world.book_of(third, "1.5")
    fifth = world.instruments[4]
    stop = (to_rupees(world.prices[fifth.key]) * 9 / 10).quantize(Decimal(1))
    world.wish("bracket", fifth, side=BUY, quantity=20, stop_loss=stop, strategy="rsi")
    await world.run_until(lambda: len(world.working()) == 3, "resting orders, and a stop")
    rng = Random(seed)
    print(f"seed {seed}")
    world.die_soon(rng, kills=4, within=4)
    await world.flatten()
    await world.run_until(lambda: is_flat(world), "flat")
    assert never_crossed(world), world.paths()
    assert world.kills
    tags = [row["tag"] for row in world.book()[world.rows_before :]]
    assert len(tags) == len(set(tags))


async def test_the_wish_survives_a_restart_of_everything(world: FlattenWorld, redis: RedisServer) -> None:
    await hold(world)
    rest(world)
    third = world.instruments[2]
    world.book_of(third, "8")
    await world.run_until(lambda: len(world.working()) == 2, "resting orders")
    await world.flatten()
    await world.run_until(lambda: list(world.positions()) == [third.key], "one is left")
    await world.stop_life()
    redis.stop()
    redis.start()
    world.book_of(third, "0.01")
    await world.run_until(lambda: is_flat(world), "flat")
    assert never_crossed(world)


async def test_an_exit_of_a_strategy_is_chased_without_any_halt(world: FlattenWorld) -> None:
    await hold(world)
    third = world.instruments[2]
    world.book_of(third, "1.5")
    world.wish("close", third, intent=Intent.REDUCE, side=SELL, quantity=4)
    await world.run_until(lambda: world.positions().get(third.key) == 6 and not world.working(), "four are sold")
    assert [one.market_protection for one in world.exits()] == [Decimal(-1), Decimal(1), Decimal(2)]
    assert {one.quantity for one in world.exits()} == {4}


async def test_a_halt_names_the_calls_that_had_no_answer(world: FlattenWorld) -> None:
    await world.run_until(lambda: world.follows, "the states")
    world.exchange.fault("no_answer", endpoints=["POST /orders/*"], accepted=False)
    world.wish("silent", world.instruments[0], side=BUY, quantity=1)
    await world.run_until(lambda: bool(world.life and world.life.live._dispatcher.in_flight), "the call")
    revision = await world.store.write("all", TradingState.HALTED, "test", "")
    applied, late = await world.run_while(world.store.wait_applied(revision, 10))
    assert (applied, late) == ([RISK, ENGINE], [])
    (record,) = world.records().values()
    assert await world.store.calls_in_flight(revision) == {ENGINE: [record.order.order_id]}


async def test_an_exit_that_fills_after_its_cancel_is_made_good(world: FlattenWorld) -> None:
    """Nobody can know of it before: what was sold too much is bought back."""
    await hold(world)
    third = world.instruments[2]
    world.book_of(third, "8")
    world.exchange.fault("fill_after_cancel", instruments=[third.key], count=1, seconds=4)
    await world.flatten()
    await world.run_until(lambda: len(world.positions()) == 0 and bool(world.paths().get(third.key)), "it fills")
    world.book_of(third, "0.01")
    await world.run_until(lambda: is_flat(world), "flat")
