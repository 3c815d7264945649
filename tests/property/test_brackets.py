"""Brackets against brokers that do everything a broker may do: a position never flips, and is not left unprotected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from hypothesis import given, note
from hypothesis import strategies as st

from models.messages.orders import (
    CancelSubmitted,
    OrderFailed,
    OrderFilled,
    OrderStatus,
    OrderType,
    OrderUpdate,
    PlannedOrder,
    Side,
)
from tests.factories import AT, TOKEN, order, update
from trading.orders.brackets import Glance, standing
from trading.orders.desk import Change, OrderDesk, Release, Send
from trading.orders.state import OrderRecord, fold

S = OrderStatus
STOP, TARGET = Decimal(95), Decimal(105)


@dataclass
class Working:
    """What is true of an order at the broker."""

    order: PlannedOrder
    filled: int = 0
    is_open: bool = True


@dataclass
class World:
    """A broker, the desk, and a risk manager that hears of fills late."""

    side: Side
    records: dict[str, OrderRecord] = field(default_factory=dict)
    desk: OrderDesk = field(default_factory=OrderDesk)
    broker: dict[str, Working] = field(default_factory=dict)
    reports: list[OrderUpdate] = field(default_factory=list)
    cancels: list[str] = field(default_factory=list)
    news: list[OrderFilled] = field(default_factory=list)  # on its way to risk
    known: int = 0  # units of the position, as risk knows it
    exits_seen: int = 0
    approved: dict[str, int] = field(default_factory=dict)  # units of own exits that may still fill, as risk knows it
    clock: int = AT

    def send(self, one: PlannedOrder) -> None:
        self.carry_out(self.desk.admit(one))

    def carry_out(self, change: Change) -> None:
        one = change.record.order
        is_new = one.order_id not in self.records
        self.store(change.record)
        for effect in change.effects:
            match effect:
                case Send():
                    self.send(effect.order)
                case Release():
                    self.reach_broker(one)
                case CancelSubmitted():
                    self.cancels.append(effect.order_id)
        if is_new and change.record.is_open and not change.record.held:
            self.reach_broker(one)
        if any(isinstance(effect, OrderFailed) for effect in change.effects):
            self.release(change.record)

    def reach_broker(self, one: PlannedOrder) -> None:
        assert one.order_id not in self.broker, "an order reaches the broker once"
        self.broker[one.order_id] = Working(one)

    def store(self, record: OrderRecord) -> None:
        self.records[record.order.order_id] = record
        self.desk.note(record)

    def report(self, one: Working, end: OrderStatus = S.WORKING) -> None:
        status = S.FILLED if one.filled == one.order.quantity else end
        self.reports.append(update(status, one.filled, "100" if one.filled else "0", of=one.order))

    def hear(self, number: int) -> None:
        told = self.reports.pop(number)
        folded = fold(self.records[told.order_id], told)
        assert folded.alarms == ()
        self.store(folded.record)
        self.news += folded.fills
        if folded.failed:
            self.release(folded.record)

    def release(self, record: OrderRecord) -> None:
        """Risk hears that an order will not fill further; the fills it has had it may not have heard of yet."""
        if record.order.order_id in self.approved:
            self.approved[record.order.order_id] -= record.order.quantity - record.filled_quantity

    def learn(self, fill: OrderFilled) -> None:
        """Risk hears of a fill."""
        self.known += fill.quantity if fill.order.side is self.side else -fill.quantity
        self.exits_seen += fill.quantity if fill.order.oco_group else 0
        if fill.order.order_id in self.approved:
            self.approved[fill.order.order_id] -= fill.quantity

    def look(self, price: Decimal | None, *, restart: bool = False) -> None:
        self.clock += 1
        if restart:
            self.desk = OrderDesk(list(self.records.values()))
        glance = Glance(second=self.clock, is_continuous=True, price=price, sequence=1, run_id="run")
        for token in self.desk.watched():
            for change in self.desk.look(token, glance, self.records.get):
                self.carry_out(change)

    def bought(self) -> int:
        return sum(one.filled for one in self.broker.values() if one.order.side is self.side)

    def leaving(self) -> int:
        """Units that have left the position, and those that could leave it now if everything filled at once."""
        exits = [one for one in self.broker.values() if one.order.side is not self.side]
        return sum(one.order.quantity if one.is_open else one.filled for one in exits)


def entry(world: World, number: int, quantity: int, stop: bool, target: bool) -> PlannedOrder:
    near, far = (STOP, TARGET) if world.side is Side.BUY else (TARGET, STOP)
    return order(
        order_id=f"entry-{number}",
        side=world.side,
        quantity=quantity,
        order_type=OrderType.LIMIT,
        limit_price=Decimal(100),
        stop_loss=near if stop else None,
        target=far if target else None,
    )


def own_exit(world: World, number: int, quantity: int) -> PlannedOrder:
    return order(
        order_id=f"own-{number}",
        side=world.side.opposite,
        quantity=quantity,
        reduces=True,
        exits_seen=world.exits_seen,
        event_time=world.clock,
    )


WEIGHTS = {
    "look": 30,
    "fill": 15,
    "cancel": 12,
    "lose cancel": 2,
    "end": 2,
    "hear": 25,
    "poll": 3,
    "risk": 20,
    "leave": 6,
    "enter": 3,
}
PRICES = [None, Decimal(94), STOP, Decimal(100), Decimal(100), Decimal(100), TARGET, Decimal(106)]
EXITS = [(True, True), (True, False), (False, True)]


def live(world: World, seed: int, steps: int) -> Iterator[str]:
    """Random things happen; yields each."""
    rng = Random(seed)
    world.send(entry(world, 1000, 10, stop=True, target=True))
    for number in range(steps):
        kind = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        take(world, rng, number, kind)
        yield kind


def take(world: World, rng: Random, number: int, kind: str) -> None:
    """One thing happens, if it can."""
    working = [one for one in world.broker.values() if one.is_open]
    match kind:
        case "look":
            world.look(rng.choice(PRICES), restart=rng.random() < 0.1)
        case "fill" if working:
            one = rng.choice(working)
            one.filled = min(one.order.quantity, one.filled + rng.randint(1, 12))
            one.is_open = one.filled < one.order.quantity
            world.report(one)
        case "cancel" if world.cancels:
            one = world.broker[world.cancels.pop(rng.randrange(len(world.cancels)))]
            if one.is_open:
                one.is_open = False
                world.report(one, S.CANCELLED)
        case "lose cancel" if world.cancels:
            world.cancels.pop()
        case "end" if working:
            one = rng.choice(working)
            one.is_open = False
            world.report(one, rng.choice([S.REJECTED, S.EXPIRED, S.CANCELLED]))
        case "hear" if world.reports:
            world.hear(rng.randrange(len(world.reports)))
        case "poll" if world.broker:
            one = rng.choice(list(world.broker.values()))
            world.report(one, S.WORKING if one.is_open else S.CANCELLED)
        case "risk" if world.news:
            world.learn(world.news.pop(0))
        case "leave":
            free = world.known - sum(world.approved.values())
            if free > 0:
                quantity = rng.randint(1, free)
                world.approved[f"own-{number}"] = quantity
                world.send(own_exit(world, number, quantity))
        case "enter":
            world.send(entry(world, number, rng.randint(1, 12), *rng.choice(EXITS)))


seeds = st.integers(0, 2**32)


@given(side=st.sampled_from(Side), seed=seeds)
def test_a_position_never_flips_whatever_the_broker_does(side: Side, seed: int) -> None:
    """Even if everything that works at the broker filled in one moment."""
    world = World(side)
    for kind in live(world, seed, 150):
        note(f"{kind}: {world.bought()} in, at most {world.leaving()} out")
        assert world.leaving() <= world.bought()


@given(side=st.sampled_from(Side), seed=seeds)
def test_a_position_is_covered_once_the_broker_answers(side: Side, seed: int) -> None:
    """When all reports and cancels have arrived, within some seconds every unit has its one exit, or its own order."""
    world = World(side)
    for kind in live(world, seed, 80):
        note(kind)
    for _ in range(40):
        settle(world)
        world.look(Decimal(100))
    settle(world)
    for record in world.records.values():
        if record.bracket is None:
            continue
        found = standing(record, world.records.get)
        assert found.left == found.covered or record.bracket.is_unprotected
        roles = {record.bracket.exits[exit_id].role for exit_id in found.working}
        assert roles <= {record.bracket.wants}
    assert not [record for record in world.records.values() if record.held]


def settle(world: World) -> None:
    """The broker carries out what it was asked, fills what is at the market, and reports everything."""
    for order_id in world.cancels:
        world.broker[order_id].is_open = False
    world.cancels.clear()
    for one in world.broker.values():
        if one.is_open and one.order.order_type is OrderType.MARKET:
            one.filled, one.is_open = one.order.quantity, False
        world.report(one, S.WORKING if one.is_open else S.CANCELLED)
    while world.reports:
        world.hear(0)


def test_all_of_this_is_about_the_instrument_it_names() -> None:
    world = World(Side.BUY)
    world.send(entry(world, 1, 10, stop=True, target=False))
    assert world.desk.watched() == [TOKEN]
