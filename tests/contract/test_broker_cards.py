"""What every broker must do, one card per behaviour: the paper exchange, and Zerodha on the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from faust_app.runtime.topics import SHARED, Topic
from models.messages.orders import OrderStatus, OrderType, PlannedOrder, Validity
from tests.contract.venues import DEEP, PRICE, TOLD, Venue, failures, fills, limit, messages, new, opened, sell
from tests.unit.runtime.redis_server import RedisServer

S = OrderStatus
ASK, BID = PRICE + 1, PRICE - 1


@pytest.fixture(params=["paper", "zerodha"])
async def venue(request: pytest.FixtureRequest, redis: RedisServer, tmp_path: Path) -> AsyncIterator[Venue]:
    async with opened(request.param, tmp_path, redis.port) as found:
        yield found


def stands(venue: Venue, one: PlannedOrder) -> tuple[OrderStatus, int]:
    """An order's status and filled quantity, as our table has it."""
    record = venue.records()[one.order_id]
    return record.status, record.filled_quantity


def told(venue: Venue) -> dict[Topic, list[object]]:
    """Everything risk and accounting have heard."""
    return {topic: [one.data for one in messages(venue, topic)] for topic in TOLD}


async def test_a_market_order_fills_in_full(venue: Venue) -> None:
    """At the price that is offered, within its protection."""
    one = new(venue)
    await venue.place(one)
    (fill,) = fills(venue, one)
    assert (fill.quantity, fill.price, fill.complete) == (10, Decimal(ASK), True)
    assert stands(venue, one) == (S.FILLED, 10)
    assert failures(venue, one) == []


async def test_each_increment_is_one_fill(venue: Venue) -> None:
    """Three times the market has less than what is left: cumulative quantities rise, and only the last is complete."""
    await venue.quote(PRICE, depth=4)
    one = limit(venue, ASK)
    await venue.place(one)
    await venue.quote(PRICE, depth=4)
    await venue.quote(PRICE, depth=4)
    found = [(fill.quantity, fill.cumulative_quantity, fill.complete) for fill in fills(venue, one)]
    assert found == [(4, 4, False), (4, 8, False), (2, 10, True)]
    assert stands(venue, one) == (S.FILLED, 10)


async def test_a_limit_order_rests_and_fills_when_it_is_touched(venue: Venue) -> None:
    """At its own price, not before the market reaches it."""
    one = limit(venue, PRICE - 10)
    await venue.place(one)
    await venue.quote(PRICE - 5)
    assert (stands(venue, one), fills(venue, one)) == ((S.WORKING, 0), [])
    await venue.quote(PRICE - 11)
    assert [(fill.quantity, fill.price) for fill in fills(venue, one)] == [(10, Decimal(PRICE - 10))]


async def test_a_limit_order_is_cancelled(venue: Venue) -> None:
    """It fails once, with nothing filled, and does not fill later."""
    one = limit(venue, PRICE - 10)
    await venue.place(one)
    await venue.cancel(one)
    await venue.quote(PRICE - 20)
    (failed,) = failures(venue, one)
    assert (failed.outcome, failed.filled_quantity) == (S.CANCELLED, 0)
    assert fills(venue, one) == []


async def test_a_partial_fill_outlives_the_cancel(venue: Venue) -> None:
    """The rest is cancelled; what was filled stays filled, on both sides."""
    await venue.quote(PRICE, depth=4)
    one = limit(venue, ASK)
    await venue.place(one)
    assert stands(venue, one) == (S.PARTIALLY_FILLED, 4)
    await venue.cancel(one)
    (failed,) = failures(venue, one)
    assert (failed.outcome, failed.filled_quantity) == (S.CANCELLED, 4)
    assert [fill.quantity for fill in fills(venue, one)] == [4]
    assert venue.booked(one) == [(4, Decimal(ASK))]


@pytest.mark.parametrize("kind", [OrderType.SL, OrderType.SL_M])
async def test_a_stop_waits_for_its_trigger(venue: Venue, kind: OrderType) -> None:
    """Prices it would accept do not fill it; a trade at its trigger does."""
    prices = {"limit_price": Decimal(PRICE + 15)} if kind is OrderType.SL else {}
    one = new(venue, order_type=kind, trigger_price=Decimal(PRICE + 10), **prices)
    await venue.place(one)
    await venue.quote(PRICE + 5)
    assert (stands(venue, one), fills(venue, one)) == ((S.WORKING, 0), [])
    await venue.quote(PRICE + 10)
    assert [(fill.quantity, fill.price) for fill in fills(venue, one)] == [(10, Decimal(PRICE + 11))]


@pytest.mark.parametrize("depth", [4, 0])
async def test_an_immediate_order_ends_with_what_it_got(venue: Venue, depth: int) -> None:
    """IOC: the rest is cancelled at once, whether a part was filled or nothing."""
    await venue.quote(PRICE, depth=depth or DEEP)
    one = limit(venue, ASK if depth else PRICE - 10, validity=Validity.IOC)
    await venue.place(one)
    (failed,) = failures(venue, one)
    assert (failed.outcome, failed.filled_quantity) == (S.CANCELLED, depth)
    assert sum(fill.quantity for fill in fills(venue, one)) == depth


@pytest.mark.parametrize("number", [0, 1])
async def test_a_rejected_order_fails_with_the_broker_s_reason(venue: Venue, number: int) -> None:
    """It ends with what the broker said, and nothing is filled."""
    one, word = await venue.doomed(number)
    await venue.place(one)
    (failed,) = failures(venue, one)
    assert (failed.outcome, failed.filled_quantity) == (S.REJECTED, 0)
    assert word in failed.reason
    assert fills(venue, one) == []


async def test_cancelling_a_filled_order_changes_nothing(venue: Venue) -> None:
    """Nobody is told anything, and the order stays filled."""
    one = new(venue)
    await venue.place(one)
    before = told(venue)
    await venue.cancel(one)
    assert told(venue) == before
    assert stands(venue, one) == (S.FILLED, 10)


async def test_the_same_signal_twice_is_one_order(venue: Venue) -> None:
    """Accepted twice, and its intent redelivered: the broker has one order of that quantity."""
    one = new(venue)
    await venue.place(one, one)
    await venue.repeat(Topic.ORDERS_SUBMITTED)
    await venue.quote(PRICE)
    assert venue.booked(one) == [(10, Decimal(ASK))]
    assert sum(fill.quantity for fill in fills(venue, one)) == 10


async def test_redelivered_updates_tell_nothing_new(venue: Venue) -> None:
    """All reports once more, of filled, resting, partly filled and cancelled orders."""
    await venue.quote(PRICE, depth=4)
    orders = [limit(venue, ASK), limit(venue, PRICE - 10), limit(venue, PRICE - 20)]
    await venue.place(*orders)
    await venue.cancel(orders[1])
    before, stood = told(venue), [stands(venue, one) for one in orders]
    await venue.repeat(Topic.ORDERS_UPDATES)
    assert told(venue) == before
    assert [stands(venue, one) for one in orders] == stood


async def test_both_sides_say_the_same(venue: Venue) -> None:
    """Cumulative quantity, sum of fills and average price equal the broker's book, order by order."""
    orders = [new(venue), limit(venue, PRICE + 5, quantity=7), sell(venue, BID, quantity=3), limit(venue, PRICE - 10)]
    await venue.place(*orders)
    await venue.quote(PRICE - 11, depth=6)
    for one in orders:
        record, found = venue.records()[one.order_id], fills(venue, one)
        assert venue.booked(one) == [(record.filled_quantity, record.average_price)]
        assert sum(fill.quantity for fill in found) == record.filled_quantity > 0
        assert sum(fill.quantity * fill.price for fill in found) == record.filled_quantity * record.average_price


async def test_every_accepted_signal_ends_exactly_once(venue: Venue) -> None:
    """Filled in full or failed, never both and never neither."""
    await venue.quote(PRICE, depth=4)
    orders = [limit(venue, ASK), limit(venue, PRICE - 10), sell(venue, BID, validity=Validity.IOC), new(venue)]
    await venue.place(*orders)
    for one in orders:
        await venue.cancel(one)
    doomed, _ = await venue.doomed(1)
    await venue.place(doomed)
    orders.append(doomed)
    for one in orders:
        complete = sum(fill.complete for fill in fills(venue, one))
        assert (complete, len(failures(venue, one))) in ((1, 0), (0, 1))
        assert venue.records()[one.order_id].status.is_terminal


async def test_the_acknowledgement_names_the_broker_s_order(venue: Venue) -> None:
    """Once per order, before anything else is told of it, with the number every later event carries."""
    one = new(venue)
    await venue.place(one)
    (acknowledged,) = [found.data for found in messages(venue, Topic.ORDERS_ACK)]
    assert (acknowledged.order_id, acknowledged.signal_id) == (one.order_id, one.signal_id)
    assert acknowledged.broker_order_id
    assert {fill.broker_order_id for fill in fills(venue, one)} == {acknowledged.broker_order_id}
    assert venue.records()[one.order_id].broker_order_id == acknowledged.broker_order_id


@pytest.mark.parametrize("is_stored", [False, True])
async def test_a_death_between_intent_and_call_costs_nothing(venue: Venue, *, is_stored: bool) -> None:
    """The next worker sends the order, once."""
    one = new(venue)
    await venue.place_through_a_death(one, is_stored=is_stored)
    assert stands(venue, one) == (S.FILLED, 10)
    assert venue.booked(one) == [(10, Decimal(ASK))]
    assert [fill.quantity for fill in fills(venue, one)] == [10]


async def test_events_carry_the_chain_of_causes(venue: Venue) -> None:
    """From each fill, acknowledgement and failure back to the decision, with the frame of the order all along."""
    filled, cancelled = new(venue), limit(venue, PRICE - 10)
    await venue.place(filled, cancelled)
    await venue.cancel(cancelled)
    decisions = {one.id for one in messages(venue, Topic.SIGNALS_VALIDATED)}
    by_id = {one.id: one for topic in Topic if not topic.is_shared for one in messages(venue, topic)}
    events = [one for topic in TOLD for one in messages(venue, topic)]
    assert len(events) == 4
    for event in events:
        assert event.correlation_id == event.trace_id == filled.frame_id
        at = event
        while at.id not in decisions:
            at = by_id[at.causation_id]


async def test_nothing_reaches_another_broker_s_topics(venue: Venue) -> None:
    """Every message is on a topic of this broker or on a shared one, and says so itself."""
    one = new(venue)
    await venue.place(one, limit(venue, PRICE - 10))
    brokers = {venue.topics.parse(name).broker for name, log in venue.logs.items() if log}
    assert brokers - {SHARED} == {venue.broker}
    ours = [envelope for topic in Topic if not topic.is_shared for envelope in messages(venue, topic)]
    assert {envelope.broker for envelope in ours} == {venue.broker}
    assert len(ours) >= 5
