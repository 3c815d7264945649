"""Every kind of difference, planted one at a time on the sandbox exchange and read through the real client."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from brokers.zerodha.portfolio import read_funds
from models.messages.orders import Product, Side
from sandbox.rules import CallLimits, Rules
from sandbox.scenario import Scenario
from tests.contract.planted_differences import FIRST, PLANTS, SECOND, K, Plant, World
from tests.exchange import Exchange, synthetic
from tests.reconciled import CASH
from tests.unit.trading.accounting.books import FRIDAY, MONDAY
from trading.reconciliation.book import BrokerBook
from trading.reconciliation.funds import believed_funds
from trading.reconciliation.kinds import KINDS, DifferenceKind
from trading.reconciliation.reconciler import EventKind


@pytest.fixture
async def world() -> AsyncIterator[World]:
    exchange = Exchange(synthetic(), scenario=Scenario(rules=Rules(limits=CallLimits(enabled=False))))
    found = World(exchange)
    try:
        yield await found.begin()
    finally:
        found.client.close()
        exchange.stop()


async def test_a_clean_account_has_no_difference(world: World) -> None:
    assert [*await world.look(), *await world.settle()] == []
    assert len(world.records) == 3
    assert world.account.fills == 1


async def test_the_exchange_has_no_less_money_than_is_believed(world: World) -> None:
    funds = read_funds(await world.client.funds())
    believed = believed_funds(world.beside(BrokerBook()))
    assert CASH / 2 < believed <= funds.usable


@pytest.mark.parametrize(("kind", "plant", "with_it"), PLANTS, ids=[kind.value for kind, *_ in PLANTS])
async def test_it_is_found_as_what_it_is_and_resolves(
    kind: DifferenceKind, plant: Plant, with_it: frozenset[DifferenceKind], world: World
) -> None:
    undo = await plant(world)
    events = await world.settle()
    assert {one.kind for one in world.open} == {kind, *with_it}
    assert not any(KINDS[one].severity.is_blocking for one in with_it)
    blocked = world.reconciler.blocked
    assert (blocked.account or bool(blocked.instruments)) is KINDS[kind].severity.is_blocking
    assert {one.kind for one in events} <= {EventKind.APPEARED, EventKind.STILL}
    await undo()
    ended = {one.difference.kind for one in await world.settle() if one.kind is EventKind.RESOLVED}
    assert kind in ended
    assert {one.kind for one in world.open} <= {K.ORDER_FOREIGN}


def test_every_kind_is_planted() -> None:
    assert {kind for kind, *_ in PLANTS} | {K.POSITION_UNBOOKED} == set(DifferenceKind)


async def test_a_fill_on_its_way_is_no_difference_yet(world: World) -> None:
    world.exchange.tick(f"NSE:{SECOND}", 985)
    assert await world.look() == ()
    assert {one.value for one in (K.ORDER_FILLED_MORE, K.POSITION_UNBOOKED)} == {
        key.partition("|")[0] for key in world.reconciler.state.pending
    }
    await world.catch_up()
    assert await world.settle() == []
    assert world.reconciler.state.pending == {}


async def test_an_accepted_position_blocks_again_when_it_grows(world: World) -> None:
    world.by_hand(FIRST)
    await world.settle()
    assert world.reconciler.blocked.instruments == {f"NSE:{FIRST}"}
    (found,) = (one for one in world.open if one.kind is K.POSITION_FOREIGN)
    world.reconciler.accept(found.key, found.value, now=world.now)
    await world.send(FIRST, "1002")  # ours grows, theirs grows: it is the same difference
    await world.catch_up()
    await world.settle()
    assert not world.reconciler.blocked.instruments
    world.by_hand(FIRST, quantity=1)
    await world.settle()
    assert world.reconciler.blocked.instruments == {f"NSE:{FIRST}"}
    assert not world.reconciler.blocked.account


async def everything_is_delivered(world: World) -> None:
    """The resting order, a purchase for delivery, fills."""
    world.exchange.tick(f"NSE:{SECOND}", 985)
    await world.catch_up()
    assert await world.settle() == []


async def test_over_night_purchases_become_holdings_and_settle_in_two_days(world: World) -> None:
    await everything_is_delivered(world)
    await world.send(FIRST, "999", side=Side.SELL)
    await world.catch_up()
    for day, unsettled in ((FRIDAY, 10), (MONDAY, 0)):
        world.sleep(day)
        assert await world.settle() == []
        rows = await world.client.holdings()
        assert [row["t1_quantity"] for row in rows if row["tradingsymbol"] == SECOND] == [unsettled]
    await world.send(SECOND, "980", side=Side.SELL, product=Product.CNC, quantity=4)
    await world.catch_up()
    assert await world.settle() == []
    assert world.account.positions[f"momentum|NSE:{SECOND}|CNC"].quantity == 6


async def test_an_intraday_position_left_open_is_a_delivery_the_next_morning(world: World) -> None:
    await everything_is_delivered(world)
    world.sleep(FRIDAY)
    await world.settle()
    (found,) = world.open
    assert (found.kind, found.instrument) == (K.POSITION_CONVERTED, f"NSE:{FIRST}")
    assert (found.ours, found.theirs) == ("MIS 10, holding 0", "MIS 0, holding 10")
