"""Protective stops while the worker is killed, calls fail and prices move: both sides stay the same."""

from __future__ import annotations

from random import Random

import pytest

from faust_app.runtime.topics import Topic
from models.messages.orders import Side
from tests.contract.protection.world import AT_1000, BOTH, STOP, STRATEGY, ProtectedWorld


@pytest.mark.parametrize("seed", range(6))
async def test_kills_between_any_two_effects_leave_one_trigger_and_one_fill(world: ProtectedWorld, seed: int) -> None:
    world.asked = {}
    await world.trade(Side.BUY, 10)
    world.die_soon(Random(1 + seed), kills=3, within=4)
    world.asked = {STRATEGY: STOP}
    await world.stands(AT_1000)
    world.die_soon(Random(100 + seed), kills=3, within=4)
    world.price("979")
    await world.run_until(lambda: world.life is not None and world.units == 0, "the fill is booked")
    world.fatal = set()
    await world.stands()
    print(world.kills)
    assert world.kills
    assert [one.quantity for one in world.events(Topic.ORDERS_FILLED)] == [10, 10]
    assert len(world.book()) == 2


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_happens_both_sides_hold_the_same_and_no_unit_is_sold_twice(
    world: ProtectedWorld, seed: int
) -> None:
    print(f"seed {seed}")
    rng = Random(seed)
    world.asked = {STRATEGY: rng.choice([STOP, BOTH])}
    endpoints = ["POST /gtt/*", "PUT /gtt/*", "DELETE /gtt/*", "GET /gtt/*"]
    for _ in range(25):
        match rng.choice(["buy", "buy", "sell", "price", "price", "kill", "fault"]):
            case "buy":
                world.accept(world.order(Side.BUY, rng.randint(1, 20)))
            case "sell" if world.units > 0:
                world.accept(world.order(Side.SELL, rng.randint(1, world.units)))
            case "price":
                if rng.random() < 0.7:
                    await world.run_until(lambda: world.is_calm() and world.is_in_step(), "stops stand")
                world.price(str(rng.choice([965, 975, 1000, 1010, 1045])))
            case "kill":
                world.fatal.add(len(world.steps) + rng.randint(1, 20))
            case "fault":
                world.exchange.fault(rng.choice(["no_answer", "reset"]), endpoints=endpoints, count=1, seconds=2)
        if rng.random() < 0.7:
            await world.run_until(world.is_calm, "it is calm")
    world.fatal = set()
    world.exchange.ask("DELETE", "/faults")
    await world.run_until(lambda: world.is_calm() and world.is_in_step(), "everything is in step")
    print(f"{len(world.book())} orders, {len(world.fired())} of triggers, kills {world.kills}, holds {world.units}")
    assert world.units == world.held_there()
    assert world.units >= 0
    sold_out = [row for row in world.book() if "can be sold" in (row["status_message"] or "")]
    assert not sold_out or world.alarms(), sold_out
