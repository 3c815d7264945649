"""What brings each kind of difference about on the sandbox exchange, and how it is undone.

Most are planted as an operator, another program or a fault would bring them about. What a sound exchange never says
(a trade missing from its own list) is put into its books directly.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace as changed
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from models.messages.orders import OrderStatus, PlannedOrder, Product, Side
from tests.exchange import synthetic
from tests.reconciled import CASH, TOLERANCES, Desk
from trading.reconciliation.kinds import DifferenceKind

K, S = DifferenceKind, OrderStatus
FIRST, SECOND, THIRD, FOURTH, FIFTH = (one.tradingsymbol for one in synthetic().instruments if one.is_tradable)
PRICE = 1000
Undo = Callable[[], Awaitable[object]]
Plant = Callable[["World"], Awaitable[Undo]]
PLANTS: list[tuple[DifferenceKind, Plant, frozenset[DifferenceKind]]] = []


class World(Desk):
    """One position of today, one resting order, one cancelled one, holdings, and a position carried over night."""

    async def begin(self) -> World:
        for symbol in (FIRST, SECOND, THIRD, FOURTH, FIFTH):
            self.exchange.tick(f"NSE:{symbol}", PRICE)
        self.filled = await self.send(FIRST, "1001")
        self.resting = await self.send(SECOND, "990", product=Product.CNC)
        cancelled = await self.send(SECOND, "980")
        await self.client.cancel("regular", self.number(cancelled))
        await self.catch_up()
        self.plant_holding(20, 5)
        self.hold(THIRD, 20, product=Product.CNC, price=900, t1_quantity=5)
        self.plant_position(FOURTH, -5)
        self.hold(FOURTH, -5, product=Product.NRML, price=PRICE)
        return self

    def plant_holding(self, quantity: int, t1_quantity: int) -> None:
        body = {"instrument": f"NSE:{THIRD}", "quantity": quantity - t1_quantity, "t1_quantity": t1_quantity}
        self.exchange.ask("POST", "/holdings", {**body, "average_price": 900})

    def plant_position(self, symbol: str, quantity: int, *, overnight: bool = True) -> None:
        body = {"instrument": f"NSE:{symbol}", "product": "NRML", "quantity": quantity, "overnight": overnight}
        self.exchange.ask("POST", "/positions", {**body, "average_price": PRICE})

    @property
    def book(self) -> Any:
        return self.exchange.sandbox.broker.book

    def forget(self, number: str) -> None:
        """The broker's book loses an order."""
        self.exchange.call(lambda: self.book._orders.pop(number))

    def swap_trade(self, **values: Any) -> Callable[[], None]:
        """Change the trade of the filled order in the exchange's own list; returns how to change it back."""
        trades, number = self.book._trades, self.number(self.filled)
        at = next(place for place, one in enumerate(trades) if one.order.order_id == number)
        before = trades[at]
        trades[at] = changed(before, **values)
        return lambda: trades.__setitem__(at, before)


def plants(kind: DifferenceKind, *with_it: DifferenceKind) -> Callable[[Plant], Plant]:
    """Register what brings a kind about, and which kinds that stop nothing come with it."""

    def register(plant: Plant) -> Plant:
        PLANTS.append((kind, plant, frozenset(with_it)))
        return plant

    return register


def later(work: Callable[[], object]) -> Undo:
    async def undo() -> object:
        return work()

    return undo


@plants(K.ORDER_MISSING)
async def _no_answer_and_not_in_the_book(world: World) -> Undo:
    world.exchange.fault("server_error", count=1)
    await world.send(FIFTH, "990")
    world.pass_time(TOLERANCES.patience_seconds)
    return world.catch_up


@plants(K.ORDER_NEVER_SENT)
async def _another_process_sends_our_order(world: World) -> Undo:
    order = world.plan(FIFTH, "990")
    world.know(order, attempted_at=0)
    world.copy_by_hand(order)
    return later(lambda: world.know(order, status=S.WORKING))


@plants(K.ORDER_UNRECORDED)
async def _an_order_of_ours_is_lost(world: World) -> Undo:
    order = world.plan(FIFTH, "990")
    world.copy_by_hand(order)
    return later(lambda: world.know(order, status=S.WORKING))


@plants(K.ORDER_DOUBLED)
async def _our_tag_is_used_again(world: World) -> Undo:
    number = world.copy_by_hand(world.resting)
    return later(lambda: world.forget(number))


@plants(K.ORDER_ALIVE)
async def _we_think_it_is_cancelled(world: World) -> Undo:
    number = world.number(world.resting)
    world.take_in([world.report(world.resting, S.CANCELLED)])
    return lambda: world.client.cancel("regular", number)


@plants(K.ORDER_ENDED)
async def _cancelled_by_hand(world: World) -> Undo:
    world.exchange.ask("DELETE", f"/orders/{world.number(world.resting)}")
    return world.catch_up


@plants(K.ORDER_ENDED_OTHERWISE)
async def _cancelled_there_and_rejected_here(world: World) -> Undo:
    await _cancelled_by_hand(world)
    world.change(world.resting, status=S.REJECTED)
    return later(lambda: world.change(world.resting, status=S.CANCELLED))


@plants(K.ORDER_STATUS_UNKNOWN)
async def _a_status_of_tomorrow(world: World) -> Undo:
    order = world.book.find(world.number(world.resting))
    before, order.status = order.status, SimpleNamespace(value="LAPSED")
    return later(lambda: setattr(order, "status", before))


@plants(K.ORDER_STUCK)
async def _validation_takes_for_ever(world: World) -> Undo:
    world.exchange.fault("slow_validation", count=1, seconds=600)
    await world.send(FIFTH, "990")
    world.pass_time(TOLERANCES.stuck_seconds)
    return later(lambda: world.pass_time(600))


@plants(K.ORDER_FILLED_MORE, K.POSITION_UNBOOKED)
async def _a_fill_we_have_not_heard_of(world: World) -> Undo:
    world.exchange.tick(f"NSE:{SECOND}", 985)
    return world.catch_up


@plants(K.ORDER_FILLED_LESS, K.POSITION_UNBOOKED)
async def _a_fill_that_never_was(world: World) -> Undo:
    world.take_in([world.report(world.resting, S.FILLED, 10, average_price=Decimal(990))])
    return later(lambda: world.exchange.tick(f"NSE:{SECOND}", 985))


@plants(K.ORDER_AVERAGE)
async def _another_price(world: World) -> Undo:
    before = world.records[world.filled.tag].average_price
    world.change(world.filled, average_price=before + Decimal("0.02"))
    return later(lambda: world.change(world.filled, average_price=before))


async def _asked_for(world: World, **values: Any) -> Undo:
    """An order that is not what we think we have asked for."""
    order = await world.send(FIFTH, "990")
    record = world.records[order.tag]
    world.records[order.tag] = replace(record, order=replace(order, **values))
    return later(lambda: world.records.__setitem__(order.tag, record))


@plants(K.ORDER_INSTRUMENT)
async def _another_instrument(world: World) -> Undo:
    return await _asked_for(world, instrument=f"NSE:{FIRST}")


@plants(K.ORDER_SIDE)
async def _the_other_side(world: World) -> Undo:
    return await _asked_for(world, side=Side.SELL)


@plants(K.ORDER_PRODUCT)
async def _another_product(world: World) -> Undo:
    return await _asked_for(world, product=Product.NRML)


async def _modified(world: World, order: PlannedOrder, given: dict[str, Any], back: dict[str, Any]) -> Undo:
    number = world.number(order)
    await world.client.modify("regular", number, given)
    return lambda: world.client.modify("regular", number, back)


@plants(K.ORDER_QUANTITY)
async def _quantity_modified_by_hand(world: World) -> Undo:
    return await _modified(world, world.resting, {"quantity": 12}, {"quantity": 10})


@plants(K.ORDER_PRICE)
async def _price_modified_by_hand(world: World) -> Undo:
    return await _modified(world, world.resting, {"price": "989.95"}, {"price": "990"})


@plants(K.ORDER_FOREIGN)
async def _an_order_by_hand(world: World) -> Undo:
    number = world.by_hand(FIFTH, order_type="LIMIT", price=990)
    return later(lambda: world.forget(number))


@plants(K.TRADE_QUANTITY)
async def _a_trade_is_not_listed(world: World) -> Undo:
    before = world.book._trades.pop()
    return later(lambda: world.book._trades.append(before))


@plants(K.TRADE_AVERAGE)
async def _a_trade_at_another_price(world: World) -> Undo:
    return later(world.swap_trade(price=PRICE * 10_000 + 300))


@plants(K.TRADE_TERMS)
async def _a_trade_in_another_product(world: World) -> Undo:
    order = world.book.find(world.number(world.filled))
    return later(world.swap_trade(order=changed(order, terms=changed(order.terms, product=Product.NRML))))


@plants(K.TRADE_UNKNOWN_ORDER)
async def _trades_of_orders_that_are_in_no_book(world: World) -> Undo:
    for side in ("BUY", "SELL"):
        world.forget(world.by_hand(FIFTH, side))
    return later(lambda: world.exchange.call(lambda: world.book._trades.__delitem__(slice(-2, None))))


@plants(K.TRADE_DOUBLED)
async def _a_trade_is_listed_twice(world: World) -> Undo:
    world.book._trades.append(world.book._trades[0])
    return later(world.book._trades.pop)


@plants(K.POSITION_MISSING)
async def _the_broker_has_closed_it(world: World) -> Undo:
    world.plant_position(FOURTH, 0)
    return later(lambda: world.plant_position(FOURTH, -5))


@plants(K.POSITION_UNKNOWN)
async def _a_position_from_nowhere(world: World) -> Undo:
    world.plant_position(FIFTH, 3)
    return later(lambda: world.plant_position(FIFTH, 0))


@plants(K.POSITION_QUANTITY)
async def _another_quantity(world: World) -> Undo:
    world.plant_position(FOURTH, -6)
    return later(lambda: world.plant_position(FOURTH, -5))


@plants(K.POSITION_CONVERTED)
async def _intraday_becomes_delivery(world: World) -> Undo:
    given = {"exchange": "NSE", "tradingsymbol": FIRST, "transaction_type": "BUY", "position_type": "day"}
    world.kite.convert_position(**given, quantity=10, old_product="MIS", new_product="CNC")
    return later(lambda: world.kite.convert_position(**given, quantity=10, old_product="CNC", new_product="MIS"))


@plants(K.POSITION_OVERNIGHT)
async def _not_carried_but_traded_today(world: World) -> Undo:
    world.plant_position(FOURTH, -5, overnight=False)
    return later(lambda: world.plant_position(FOURTH, -5))


@plants(K.POSITION_FOREIGN, K.ORDER_FOREIGN)
async def _bought_by_hand(world: World) -> Undo:
    world.by_hand(FIRST)
    return later(lambda: world.by_hand(FIRST, "SELL"))


@plants(K.HOLDING_LESS)
async def _shares_are_gone(world: World) -> Undo:
    world.plant_holding(19, 5)
    return later(lambda: world.plant_holding(20, 5))


@plants(K.HOLDING_MORE)
async def _shares_of_the_owner(world: World) -> Undo:
    world.plant_holding(21, 5)
    return later(lambda: world.plant_holding(20, 5))


@plants(K.HOLDING_UNSETTLED)
async def _not_settled_yet(world: World) -> Undo:
    world.plant_holding(20, 6)
    return later(lambda: world.plant_holding(20, 5))


@plants(K.FUNDS_LOW)
async def _money_is_withdrawn(world: World) -> Undo:
    amount = int(CASH * TOLERANCES.funds_percent / 100) + 20_000
    world.exchange.ask("POST", "/funds", {"payin": -amount})
    return later(lambda: world.exchange.ask("POST", "/funds", {"payin": amount}))


@plants(K.ROWS_UNREADABLE)
async def _an_order_that_makes_no_sense(world: World) -> Undo:
    order = world.book.find(world.number(world.resting))
    order.filled_quantity = -1
    return later(lambda: setattr(order, "filled_quantity", 0))
