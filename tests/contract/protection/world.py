"""A live account whose strategies ask for stops at the exchange: its books are kept from the fills it publishes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from agents.live import protection
from faust_app.runtime import metrics
from faust_app.runtime.consume import Record
from faust_app.runtime.settings import Settings
from faust_app.runtime.topics import Topic
from models.messages import ids
from models.messages.orders import OrderStatus, OrderType, PlannedOrder, Product, Side
from models.messages.ticks import TickFrame, to_units
from sandbox.gtt import read_plan
from sandbox.rest.gtt import _body
from tests import factories
from tests.chaos.incarnation import BROKER, Incarnation
from tests.chaos.live_world import ACCOUNT, ENDS, LiveWorld, quick
from tests.exchange import Exchange
from trading.accounting.account import Account, apply_fill, new_account, position_quantity
from trading.market.instruments import Instrument
from trading.orders.protection import Protection, exiting_units
from trading.orders.state import AlarmKind, OrderRecord
from trading.orders.triggers import is_of_trigger

Event = TypeVar("Event", bound=msgspec.Struct)
STRATEGY = "momentum"
STOP = Protection(stop_percent=Decimal(2))
BOTH = Protection(stop_percent=Decimal(2), target_percent=Decimal(4))
AT_1000 = (10, [980.05], [970.25])  # bought at 1000.05: 2 percent below, on the tick; its limit 1 percent below that
NAMES = itertools.count(1)


@contextmanager
def quick_rounds() -> Iterator[None]:
    """Rounds that follow each other at once, and orders without their pace."""
    names = ("EVERY_SECONDS", "SETTLING_SECONDS", "LEAST_SECONDS", "OPTIONS_SECONDS", "REFUSED_SECONDS")
    before = {name: getattr(protection, name) for name in names}
    for name in names:
        setattr(protection, name, 0.02)
    try:
        with quick():
            yield
    finally:
        for name, value in before.items():
            setattr(protection, name, value)


class ProtectedWorld(LiveWorld):
    """`asked` are the strategies' options. The account is None unless it `is_published`, and old while it `lags`."""

    def __init__(self, exchange: Exchange, settings: Settings) -> None:
        self.asked: dict[str, Protection] = {}
        self.is_published, self.lags = True, False
        self.last = "1000"
        super().__init__(exchange, settings)
        self.stock = self.instruments[0]
        self.account = new_account(ACCOUNT, Decimal(10_000_000))
        self._booked = 0
        self._alarms = {kind: raised(kind) for kind in AlarmKind}

    def books(self) -> Account | None:
        if not self.is_published:
            return None
        return self.account if self.lags else self.booked()

    def booked(self) -> Account:
        """Everything that was published is in the books."""
        fills = self.events(Topic.ORDERS_FILLED)
        for filled in fills[self._booked :]:
            assert apply_fill(self.account, filled, self.stock), "A fill was published twice"
        self._booked = len(fills)
        return self.account

    async def options(self) -> dict[str, Protection]:
        return self.asked

    @property
    def units(self) -> int:
        """What the strategy holds, by the fills that were published."""
        return position_quantity(self.booked(), STRATEGY, self.stock.key)

    def price(self, rupees: str) -> None:
        """The stock trades at a price: the exchange and the engine see it."""
        self.last, level = rupees, float(rupees)
        self.exchange.tick(self.stock.key, level, buy=[[level - 0.05, 10_000]], sell=[[level + 0.05, 10_000]])
        if self.life is not None and not self.life.is_dead:
            self.born(self.life)

    def born(self, life: Incarnation) -> None:
        life.live.on_frame(Record("ticks", 0, 0, None, b"", {}), self.frame(self.last))

    def frame(self, rupees: str) -> TickFrame:
        """As the engine gets it."""
        at = int(self.exchange.sandbox.broker.clock.now)
        tick = factories.tick(to_units(Decimal(rupees)), at=at, instrument_token=self.stock.instrument_token)
        return TickFrame(1, "frame", "run", 1, at, 1, "shared", (tick,))

    def order(self, side: Side, quantity: int, **values: Any) -> PlannedOrder:
        """A market order that fills at once, for delivery."""
        name = f"protected-{next(NAMES)}"
        order_id = ids.order_id(name, 0)
        defaults: dict[str, Any] = {
            "order_id": order_id,
            "signal_id": name,
            "account": ACCOUNT,
            "strategy": STRATEGY,
            "instrument": self.stock.key,
            "instrument_token": self.stock.instrument_token,
            "side": side,
            "quantity": quantity,
            "order_type": OrderType.MARKET,
            "product": Product.CNC,
            "reduces": side is Side.SELL,
            "tag": ids.order_tag(order_id),
            "event_time": int(self.exchange.sandbox.broker.clock.now),
            "received_ns": int(self.now() * 1e9),
        }
        return factories.order(**{**defaults, **values})

    async def trade(self, side: Side, quantity: int, **values: Any) -> PlannedOrder:
        """Send an order and wait for its end."""
        order = self.order(side, quantity, **values)
        self.accept(order)
        await self.run_until(lambda: self.has_ended(order), "the order ends")
        return order

    def triggers(self) -> list[dict[str, Any]]:
        """The exchange's own list."""
        return self.exchange.call(lambda: [_body(one) for one in self.exchange.sandbox.broker.gtts])

    def active(self) -> list[tuple[int, list[float], list[float]]]:
        """Of each active trigger: quantity, trigger values, limit prices."""
        return [
            (
                one["orders"][0]["quantity"],
                one["condition"]["trigger_values"],
                [leg["price"] for leg in one["orders"]],
            )
            for one in self.triggers()
            if one["status"] == "active"
        ]

    async def stands(self, *wanted: tuple[int, list[float], list[float]]) -> None:
        """Wait until these triggers are active, and the engine knows all of them."""

        def is_so() -> bool:
            return self.life is not None and self.active() == list(wanted) and self.known() == len(wanted)

        await self.run_until(is_so, f"triggers {wanted}")

    def describe(self) -> str:
        return f"active {self.active()}, known {self.known()}, {super().describe()}"

    def known(self) -> int:
        """How many triggers the engine takes for its own."""
        if self.life is None:
            return -1
        records = self.life.live._triggers.standing().values()
        return sum(len(one.standing) for one in records) + 100 * sum(one.asked is not None for one in records)

    def fired(self) -> list[dict[str, Any]]:
        """The exchange's orders that triggers have placed."""
        return [row for row in self.book() if not row["tag"]]

    def records_by_number(self) -> dict[str, OrderRecord]:
        """Our orders by the broker's number."""
        return {one.broker_order_id: one for one in self.records().values()}

    def status(self, number: str) -> OrderStatus | None:
        """Where one of our orders stands."""
        found = self.records_by_number().get(number)
        return None if found is None else found.status

    def is_calm(self) -> bool:
        """Nothing is on its way, every order of a trigger is one of ours, and both sides say the same of all orders."""
        records = self.records()
        numbers = {one.broker_order_id: one for one in records.values()}
        book = self.book()
        return (
            self.is_idle()
            and all(one.status.is_terminal or is_of_trigger(one.order) for one in records.values())
            and all(row["order_id"] in numbers for row in book)
            and all(
                (numbers[row["order_id"]].filled_quantity, numbers[row["order_id"]].status.is_terminal)
                == (row["filled_quantity"], row["status"] in ENDS)
                for row in book
            )
        )

    def is_in_step(self) -> bool:
        """A trigger for what is held and no order of a trigger sells already, and none without."""
        resting = sum(exiting_units(one) for one in self.records().values())
        wanted = [self.units - resting] if self.units > resting else []
        return [quantity for quantity, _, _ in self.active()] == wanted and self.known() == len(wanted)

    def held_there(self) -> int:
        """What the exchange says is held of the stock."""
        account = self.exchange.sandbox.broker.account
        found = self.exchange.call(lambda: list(account.positions))
        return sum(
            one.day_buy.quantity - one.day_sell.quantity for one in found if one.instrument.key == self.stock.key
        )

    def by_hand(self, trigger: str, quantity: int) -> int:
        """Somebody places a trigger; its number."""
        one = instrument_terms(self.stock, trigger, quantity)
        gtts, catalogue = self.exchange.sandbox.broker.gtts, self.exchange.sandbox.broker.catalogue
        return self.exchange.call(lambda: gtts.add(read_plan(one, catalogue)).number)

    def alarms(self, kind: AlarmKind = AlarmKind.TRIGGER_STANDS) -> float:
        """Of a kind, in this world."""
        return raised(kind) - self._alarms[kind]

    def events_of(self, kind: type[Event]) -> list[Event]:
        """What was told of triggers."""
        return [one for one in self.events(Topic.ORDERS_UPDATES) if isinstance(one, kind)]

    async def rounds(self, count: int) -> None:
        """Let some rounds pass."""
        for _ in range(count):
            assert self.life is not None
            await self.life.live._protector._ended.wait()

    async def restart(self) -> None:
        """A worker that is stopped and started."""
        await self.end()
        await self.run_until(lambda: self.life is not None, "it starts again")


def raised(kind: AlarmKind) -> float:
    """Alarms since the tests began."""
    return float(metrics.ORDER_ALARMS.labels(BROKER, kind.value)._value.get())


def instrument_terms(stock: Instrument, trigger: str, quantity: int) -> dict[str, str]:
    """Fields of a stop to sell, as Kite takes them."""
    named = {"exchange": stock.exchange, "tradingsymbol": stock.tradingsymbol}
    limit = Decimal(trigger) * Decimal("0.99") // stock.tick_size * stock.tick_size + stock.tick_size
    leg = {"transaction_type": "SELL", "quantity": quantity, "order_type": "LIMIT", "product": "CNC"}
    return {
        "type": "single",
        "condition": json.dumps({**named, "trigger_values": [float(trigger)], "last_price": 1000}),
        "orders": json.dumps([{**leg, "price": float(limit)}]),
    }
