"""The engine's handlers do what a simulated broker in one process does, however late, often or interrupted they run."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import OrderType, PlannedOrder, Side
from models.messages.ticks import Tick
from tests.engine_loop import Loop, event_key
from tests.factories import AT, instrument, levels, order, tick
from trading.market.sessions import phase, stage
from trading.matching.broker import Event, SimulatedBroker
from trading.matching.phases import Moment
from trading.matching.rules import MatchingRules
from trading.orders.state import Alarm

OPEN = AT + 3600  # 09:45 IST
INSTRUMENT = instrument()
RULES = MatchingRules(latency_ms=150, partial_percent=20, seed=5)


def walk(rng: Random, count: int) -> list[Tick]:
    """A price that goes up and down a lot, a few ticks a second. It changes with a trade only."""
    found, price, at, volume = [], 1_000_000, OPEN, 100
    for sequence in range(1, count + 1):
        at += rng.choice([0, 1, 1, 2])
        if rng.random() < 0.8:
            price, volume = max(900_000, min(1_100_000, price + rng.randint(-20, 20) * 1000)), volume + 10
        book = {"buy": levels(price - 500, -500, 40), "sell": levels(price + 500, 500, 40)}
        found.append(tick(price=price, sequence=sequence, at=at, volume=volume, **book))
    return found


def planned(rng: Random, number: int, answered: Tick) -> PlannedOrder:
    """An entry with exits, or a plain order."""
    side = rng.choice(list(Side))
    price = answered.last_price
    is_limit = rng.random() < 0.4
    away = Decimal(rng.randint(5, 40)) / 10
    return order(
        order_id=f"order-{number}",
        signal_id=f"signal-{number}",
        strategy=rng.choice(["a", "b"]),
        side=side,
        quantity=rng.randint(1, 150),
        order_type=OrderType.LIMIT if is_limit else OrderType.MARKET,
        limit_price=price - side.sign * Decimal("0.1") if is_limit else None,
        stop_loss=price - side.sign * away if rng.random() < 0.8 else None,
        target=price + side.sign * away if rng.random() < 0.8 else None,
        event_time=answered.exchange_time,
        tick_sequence=answered.sequence,
    )


def leaving(number: int, entry: PlannedOrder, answered: Tick, exits_seen: int) -> PlannedOrder:
    """The strategy's own exit of an entry."""
    return order(
        order_id=f"order-{number}",
        signal_id=f"signal-{number}",
        strategy=entry.strategy,
        side=entry.side.opposite,
        quantity=entry.quantity,
        reduces=True,
        exits_seen=exits_seen,
        event_time=answered.exchange_time,
        tick_sequence=answered.sequence,
    )


def session(seed: int) -> tuple[list[Tick], dict[int, PlannedOrder]]:
    """Ticks, and the orders that answer some of them, by sequence."""
    rng = Random(seed)
    ticks = walk(rng, 60)
    orders: dict[int, PlannedOrder] = {}
    for number, answered in enumerate(rng.sample(ticks[:40], 4)):
        entries = [one for sequence, one in orders.items() if sequence < answered.sequence and not one.reduces]
        if entries and rng.random() < 0.4:
            orders[answered.sequence] = leaving(number, rng.choice(entries), answered, rng.choice([0, 10**6]))
        else:
            orders[answered.sequence] = planned(rng, number, answered)
    return ticks, orders


def moment_at(token: int, clock: int) -> Moment:
    return Moment(clock, phase(INSTRUMENT, clock), stage(INSTRUMENT, clock))


def in_one_process(ticks: list[Tick], orders: dict[int, PlannedOrder]) -> list[Event]:
    broker, events = SimulatedBroker(RULES, moment_at, lambda _: INSTRUMENT), []
    for one in ticks:
        events += broker.on_tick(one, "run")
        if one.sequence in orders:
            events += broker.submit(orders[one.sequence])
    for second in range(1, 60):
        events += broker.on_clock(ticks[-1].exchange_time + second)
    return events


def in_the_pipeline(ticks: list[Tick], orders: dict[int, PlannedOrder], rng: Random | None) -> set[tuple[str, ...]]:
    """Everything of a second is handled before the next begins, in whatever order, as in a replay."""
    loop, clock = Loop(RULES, rng), 0
    for one in ticks:
        if one.exchange_time != clock:
            clock = one.exchange_time
            loop.settle()
            loop.frame(clock)
        loop.dawdle()
        loop.frame(clock, one)
        if one.sequence in orders:
            loop.accept(orders[one.sequence])
    for second in range(1, 60):
        loop.settle()
        loop.frame(clock + second)
    loop.settle()
    return loop.events()


@given(seed=st.integers(0, 2**32))
def test_the_pipeline_does_what_one_process_does(seed: int) -> None:
    ticks, orders = session(seed)
    expected = in_one_process(ticks, orders)
    assert not [event for event in expected if isinstance(event, Alarm)]
    found = in_the_pipeline(ticks, orders, Random(seed))
    assert found == {event_key(event) for event in expected if not isinstance(event, Alarm)}


@given(seed=st.integers(0, 2**32))
def test_every_order_ends_once_and_no_exit_flips_a_position(seed: int) -> None:
    ticks, orders = session(seed)
    events = in_one_process(ticks, orders)
    ends = [event.order.order_id for event in events if type(event).__name__ == "OrderFailed"]
    ends += [event.order.order_id for event in events if getattr(event, "complete", False)]
    assert len(ends) == len(set(ends))
    held: dict[str, int] = {}
    for event in events:
        if type(event).__name__ != "OrderFilled":
            continue
        entry = event.order.oco_group or event.order.order_id
        before = held.get(entry, 0)
        held[entry] = before + event.order.side.sign * event.quantity
        if event.order.oco_group:
            assert held[entry] * before >= 0, "an exit took more than its entry had left"
