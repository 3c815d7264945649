"""Exits that wait for their position's trigger: each once, and whatever goes wrong they go on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents.live.exits import GuardedExits
from faust_app.runtime import metrics
from models.messages.orders import PlannedOrder, Side
from tests.factories import order
from tests.unit.runtime.loop_fakes import until
from trading.orders.state import AlarmKind

BROKER = "exits"


class Protector:
    """`answer` is what waiting for a trigger comes to."""

    def __init__(self) -> None:
        self.answer: bool | Exception = True
        self.reason = ""
        self.stands = True
        self.may_end = asyncio.Event()
        self.asked = 0

    def guards(self, one: PlannedOrder) -> bool:
        return self.stands

    async def cleared(self, one: PlannedOrder) -> bool:
        self.asked += 1
        await self.may_end.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def refusal(self, one: PlannedOrder) -> str:
        return self.reason


class World:
    def __init__(self) -> None:
        self.protector = Protector()
        self.resumed: list[tuple[str, str]] = []
        protector: Any = self.protector
        self.exits = GuardedExits(protector, self.resume, broker=BROKER)

    def resume(self, one: PlannedOrder, refusal: str) -> None:
        self.resumed.append((one.order_id, refusal))


def exit_order(name: str = "exit") -> PlannedOrder:
    return order(order_id=name, side=Side.SELL, reduces=True)


def alarms() -> float:
    return float(metrics.ORDER_ALARMS.labels(BROKER, AlarmKind.TRIGGER_STANDS.value)._value.get())


async def test_an_exit_waits_once_and_is_sent_then() -> None:
    world = World()
    assert world.exits.holds_back(exit_order())
    assert world.exits.holds_back(exit_order())
    world.protector.may_end.set()
    await until(lambda: bool(world.resumed))
    assert world.resumed == [("exit", "")]
    assert world.protector.asked == 1
    assert not world.exits.holds_back(exit_order())


async def test_entries_and_positions_without_triggers_do_not_wait() -> None:
    world = World()
    assert not world.exits.holds_back(order())
    world.protector.stands = False
    assert not world.exits.holds_back(exit_order())


@pytest.mark.parametrize("answer", [False, LookupError("a mistake")])
async def test_an_exit_that_is_not_cleared_goes_out_with_an_alarm(answer: bool | Exception) -> None:
    world, before = World(), alarms()
    world.protector.answer = answer
    world.protector.may_end.set()
    assert world.exits.holds_back(exit_order())
    await until(lambda: bool(world.resumed))
    assert (world.resumed, alarms() - before) == ([("exit", "")], 1)


async def test_the_refusal_is_handed_on() -> None:
    world = World()
    world.protector.reason = "It has fired"
    world.protector.may_end.set()
    assert world.exits.holds_back(exit_order())
    await until(lambda: bool(world.resumed))
    assert world.resumed == [("exit", "It has fired")]


async def test_what_waits_is_forgotten_when_partitions_move() -> None:
    world = World()
    assert world.exits.holds_back(exit_order())
    world.exits.forget()
    assert world.exits.holds_back(exit_order())
    world.protector.may_end.set()
    await until(lambda: bool(world.resumed))
    assert len(world.resumed) == 1
