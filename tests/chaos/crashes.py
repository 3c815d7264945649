"""One seeded run: orders and cancels on a live engine, until everything has settled, in spite of kills and faults."""

from __future__ import annotations

import itertools
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from models.messages import ids
from models.messages.orders import OrderType, PlannedOrder, Product, Side
from models.messages.ticks import to_rupees
from sandbox.scenario import Scenario
from tests.chaos.incarnation import OF_ORDERS, Effect
from tests.chaos.live_world import ENDS, LiveWorld, live_settings, quick
from tests.exchange import Exchange, synthetic
from tests.factories import order

NAMESPACES = itertools.count(1)
UNLIMITED = Scenario.model_validate({"rules": {"limits": {"enabled": False}, "session_hours": False}})


def new_exchange() -> Exchange:
    """A sandbox whose market moves by hand only."""
    return Exchange(synthetic(), scenario=UNLIMITED)


def planned(rng: Random, number: int, seed: int, world: LiveWorld) -> PlannedOrder:
    """An order that fills at once, or rests far away."""
    instrument = world.instruments[number % len(world.instruments)]
    price = to_rupees(world.prices[instrument.key])
    side, rests = rng.choice(list(Side)), rng.random() < 0.4
    name = f"run-{seed}-{number}"
    order_id = ids.order_id(name, 0)
    away = price - side.sign * price / 50
    limit = (away / instrument.tick_size).to_integral_value() * instrument.tick_size if rests else None
    return order(
        order_id=order_id,
        signal_id=name,
        account="zerodha:main",
        instrument=instrument.key,
        instrument_token=instrument.instrument_token,
        side=side,
        quantity=rng.randint(1, 20),
        order_type=OrderType.LIMIT if rests else OrderType.MARKET,
        limit_price=limit,
        product=Product.MIS,
        reduces=rng.random() < 0.3,
        tag=ids.order_tag(order_id),
        event_time=world.opened_at,
        received_ns=int(world.now() * 1e9),
    )


# What the broker may do to its calls and orders: the fault's settings beside its seed.
CALLS = {"endpoints": ["POST /orders/*", "DELETE /orders/*"], "probability": 0.3}
READS = {"endpoints": ["POST /orders/*", "DELETE /orders/*", "GET /orders"], "probability": 0.3}
ORDERS = {"probability": 0.3}
FAULTS: dict[str, dict[str, Any]] = {
    "no_answer": CALLS,
    "never_arrived": {**CALLS, "kind": "no_answer", "accepted": False},
    "timed_out": {"probability": 0.3},
    "too_many_requests": READS,
    "server_error": READS,
    "server_error_yet_accepted": {**CALLS, "kind": "server_error", "accepted": True},
    "bad_gateway": READS,
    "empty_body": READS,
    "empty_object": READS,
    "no_content_type": READS,
    "reset": READS,
    "reject": ORDERS,
    "partial_then_cancel": ORDERS,
    "slow_validation": ORDERS,
    "fill_after_cancel": ORDERS,
    "cancellation_refused": ORDERS,
    "update_duplicated": ORDERS,
    "update_lost": ORDERS,
    "update_reordered": ORDERS,
    "update_after_complete": ORDERS,
    "update_first": {**CALLS, "seconds": 0.1},
}


MOST = {
    Effect.BEFORE_THE_CALL: 4,
    Effect.AFTER_THE_CALL: 4,
    Effect.BEFORE_THE_CANCEL: 1,
    Effect.AFTER_THE_CANCEL: 1,
}  # the last occurrence that surely comes, of effects that are rare


async def crash_run(exchange: Exchange, folder: Path, redis_port: int, seed: int, orders: int) -> LiveWorld:
    """A run whose worker is killed at one to three of its effects; the returned world has been checked."""
    rng = Random(seed)
    world = LiveWorld(exchange, live_settings(exchange, folder / f"session-{seed}", redis_port, new_namespace()))
    world.fatal = {fatal_effect(rng, orders) for _ in range(rng.randint(1, 3))}
    await run(world, rng, seed, orders)
    return world


def fatal_effect(rng: Random, orders: int) -> tuple[Effect, int]:
    """First the kind, so that rare effects have their share of the kills, then its occurrence."""
    effect = rng.choice(OF_ORDERS)
    return effect, rng.randint(1, MOST.get(effect, 4 * orders))


async def fault_run(
    exchange: Exchange, folder: Path, redis_port: int, fault: str, seed: int, orders: int, *, is_alone: bool = False
) -> LiveWorld:
    """A run in which the broker has a fault (of `FAULTS`); the returned world has been checked."""
    rng = Random(seed)
    world = LiveWorld(exchange, live_settings(exchange, folder / f"session-{seed}", redis_port, new_namespace()))
    number = exchange.fault(**{"kind": fault, **FAULTS[fault], "seed": seed})
    try:
        await run(world, rng, seed, orders, is_alone=is_alone)
    finally:
        exchange.ask("DELETE", f"/faults/{number}")
    return world


def new_namespace() -> str:
    """Of one run in Redis."""
    return f"c{next(NAMESPACES)}."


async def run(world: LiveWorld, rng: Random, seed: int, orders: int, *, is_alone: bool = False) -> None:
    """Orders, cancels of most of them, and the check; of a world that is alone, also by a reconciliation."""
    wanted = [planned(rng, number, seed, world) for number in range(orders)]
    with quick():
        try:
            for one in wanted:
                world.accept(one)
            await world.run_until(lambda: world.has_settled(wanted), "orders settle")
            cancelled = [one for one in wanted if rng.random() < 0.7]
            for one in cancelled:
                world.cancel(one)
            await world.run_until(
                lambda: world.has_settled(wanted) and all(world.has_ended(one) for one in cancelled), "cancels settle"
            )
            check(world, wanted)
            if is_alone:
                differences = await world.differences()
                assert not differences, differences
        finally:
            await world.end()


def check(world: LiveWorld, wanted: list[PlannedOrder]) -> None:
    """Nothing lost, nothing doubled, and both sides say the same."""
    by_tag: dict[str, list[dict[str, Any]]] = {}
    for row in world.book():
        by_tag.setdefault(row["tag"], []).append(row)
    ours = world.records()
    for one in wanted:
        rows, record = by_tag.get(one.tag, []), ours[one.tag]
        assert len(rows) <= 1, f"{one.order_id} was sent {len(rows)} times; {world.describe()}"
        if not rows:
            assert record.status.value in ("denied_late", "rejected"), world.describe()
            continue
        (row,) = rows
        assert record.filled_quantity == row["filled_quantity"], world.describe()
        assert record.broker_order_id == row["order_id"], world.describe()
        assert record.status.is_terminal is (row["status"] in ENDS), (row["status"], world.describe())
        if row["filled_quantity"]:
            assert abs(record.average_price - Decimal(str(row["average_price"]))) < Decimal("0.000001")
    filled = world.filled_quantities()
    assert filled == {tag: record.filled_quantity for tag, record in ours.items() if record.filled_quantity}
