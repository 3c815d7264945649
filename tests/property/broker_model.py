"""A broker's day as Kite tells it in rows, and our side of the same day from its reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from brokers.zerodha.mapping import read_order, update_of
from models.messages import ids
from models.messages.orders import OrderType, PlannedOrder, Product, Side
from tests.factories import AT, instrument, order
from trading.accounting.account import Account, apply_fill, new_account
from trading.accounting.position import Position, position_key
from trading.market.sessions import IST
from trading.orders.state import OrderRecord, fold, submitted

Row = dict[str, Any]
CASH = Decimal(100_000_000)
SYMBOLS = ("INFY", "TCS")
LISTED = {f"NSE:{one}": instrument(tradingsymbol=one, instrument_token=256 * at) for at, one in enumerate(SYMBOLS, 1)}
PRODUCTS = tuple(Product)
BEGIN = AT + 3_600


@dataclass(frozen=True)
class Happened:
    """One thing at the broker. `sent` is our mark before the call; `quantity` filled at `price`, rupees."""

    kind: str  # sent, opened, filled, ended
    order: int
    quantity: int = 0
    price: int = 0


@dataclass(frozen=True)
class Day:
    """Orders, what happened to them in turn, `pace` things a second, and what was carried over night."""

    orders: tuple[PlannedOrder, ...]
    story: tuple[Happened, ...]
    pace: int
    carried: dict[tuple[str, Product], int]
    unsettled: dict[str, int]

    def at(self, place: int) -> int:
        """Epoch second of a thing."""
        return BEGIN + place // self.pace

    @property
    def seconds(self) -> int:
        """How long the story takes."""
        return -(-len(self.story) // self.pace)

    def told_by(self, second: int) -> int:
        """How many things have happened as a second is over, 0 being the first."""
        return min((second + 1) * self.pace, len(self.story))


@st.composite
def days(draw: st.DrawFn) -> Day:
    """Orders of all products on both sides that fill in pieces, are cancelled, or rest."""
    orders = tuple(_order(draw, number) for number in range(draw(st.integers(1, 4))))
    stories = [_story(draw, number, one) for number, one in enumerate(orders)]
    turns = draw(st.permutations([number for number, one in enumerate(stories) for _ in one]))
    waiting = [iter(one) for one in stories]
    carried = {("NSE:INFY", Product.NRML): draw(st.integers(-9, 9)), ("NSE:TCS", Product.CNC): draw(st.integers(1, 9))}
    unsettled = {"NSE:TCS": draw(st.integers(0, carried["NSE:TCS", Product.CNC]))}
    story = tuple(next(waiting[number]) for number in turns)
    return Day(orders, story, draw(st.integers(1, 3)), carried, unsettled)


def _order(draw: st.DrawFn, number: int) -> PlannedOrder:
    name = ids.order_id("model", number)
    return order(
        order_id=name,
        tag=ids.order_tag(name),
        instrument=f"NSE:{draw(st.sampled_from(SYMBOLS))}",
        side=draw(st.sampled_from(list(Side))),
        product=draw(st.sampled_from(PRODUCTS)),
        quantity=draw(st.integers(1, 50)),
        order_type=OrderType.LIMIT,
        limit_price=Decimal(100),
        event_time=BEGIN,
    )


def _story(draw: st.DrawFn, number: int, one: PlannedOrder) -> list[Happened]:
    filled = draw(st.sampled_from([0, one.quantity, one.quantity // 2]))
    cuts = sorted(draw(st.sets(st.integers(1, filled), max_size=4)) | {filled}) if filled else []
    pieces = [after - before for before, after in zip([0, *cuts], cuts, strict=False)]
    found = [Happened("sent", number), Happened("opened", number)]
    found += [Happened("filled", number, piece, draw(st.integers(10, 200))) for piece in pieces]
    if filled < one.quantity and draw(st.booleans()):
        found.append(Happened("ended", number))
    return found


def stamp(second: int) -> str:
    """As Kite writes times."""
    return datetime.fromtimestamp(second, IST).strftime("%Y-%m-%d %H:%M:%S")


def listed(one: PlannedOrder) -> Row:
    """What every row of an order or trade has."""
    return {
        "exchange": "NSE", "tradingsymbol": one.instrument.partition(":")[2], "product": one.product.value,
        "transaction_type": one.side.value, "instrument_token": one.instrument_token,
    }  # fmt: skip


def order_rows(day: Day, told: int) -> list[Row]:
    """The order book once so many things have happened."""
    rows: dict[int, Row] = {}
    turnover = [0] * len(day.orders)
    for place, thing in enumerate(day.story[:told]):
        if thing.kind == "sent":
            continue
        asked = day.orders[thing.order]
        row = rows.setdefault(
            thing.order,
            listed(asked) | {
                "order_id": f"15{thing.order:013d}", "tag": asked.tag, "variety": "regular", "order_type": "LIMIT",
                "status": "OPEN", "quantity": asked.quantity, "filled_quantity": 0, "average_price": 0,
                "price": 100, "trigger_price": 0, "order_timestamp": stamp(day.at(place)),
            },
        )  # fmt: skip
        row["exchange_update_timestamp"] = stamp(day.at(place))
        row["filled_quantity"] += thing.quantity
        turnover[thing.order] += thing.quantity * thing.price
        if row["filled_quantity"]:
            row["average_price"] = turnover[thing.order] / row["filled_quantity"]
        if row["filled_quantity"] == asked.quantity:
            row["status"] = "COMPLETE"
        elif thing.kind == "ended":
            row["status"] = "CANCELLED"
    return list(rows.values())


def trade_rows(day: Day, told: int) -> list[Row]:
    """All executions."""
    return [
        listed(day.orders[thing.order]) | {
            "trade_id": str(10_000_000 + place), "order_id": f"15{thing.order:013d}", "quantity": thing.quantity,
            "average_price": thing.price, "fill_timestamp": stamp(day.at(place)),
        }
        for place, thing in enumerate(day.story[:told])
        if thing.kind == "filled"
    ]  # fmt: skip


def position_rows(day: Day, told: int) -> list[Row]:
    """Net positions; deliveries carried over night are none."""
    carried = {place: units for place, units in day.carried.items() if place[1] is not Product.CNC and units}
    net = dict(carried)
    for thing in day.story[:told]:
        if thing.kind == "filled":
            one = day.orders[thing.order]
            place = one.instrument, one.product
            net[place] = net.get(place, 0) + one.side.sign * thing.quantity
    return [
        {
            "exchange": "NSE", "tradingsymbol": key.partition(":")[2], "product": product.value, "quantity": units,
            "overnight_quantity": carried.get((key, product), 0), "average_price": 100,
        }
        for (key, product), units in net.items()
    ]  # fmt: skip


def holding_rows(day: Day) -> list[Row]:
    """Delivery shares as the day began."""
    return [
        {
            "exchange": "NSE", "tradingsymbol": key.partition(":")[2], "quantity": units, "opening_quantity": units,
            "t1_quantity": day.unsettled[key], "average_price": 100,
        }
        for (key, product), units in day.carried.items()
        if product is Product.CNC
    ]  # fmt: skip


class OurSide:
    """What we believe of a day, as far as we have heard of it."""

    def __init__(self, day: Day) -> None:
        self._day = day
        self._heard = 0
        self.records: dict[str, OrderRecord] = {one.tag: submitted(one) for one in day.orders}
        self.account: Account = new_account("zerodha:main", CASH)
        self.account.day = "2026-08-20"
        for (key, product), units in day.carried.items():
            name = position_key("carried", key, product)
            self.account.positions[name] = _carried(key, product, units, day.unsettled)

    def hear(self, told: int) -> OurSide:
        """Take in what has happened up to there."""
        for place in range(self._heard, told):
            self._hear(place)
        self._heard = told
        return self

    def _hear(self, place: int) -> None:
        day, records = self._day, self.records
        thing = day.story[place]
        one = day.orders[thing.order]
        if thing.kind == "sent":
            records[one.tag] = replace(records[one.tag], attempted_at=day.at(place))
            return
        row = next(row for row in order_rows(day, place + 1) if row["tag"] == one.tag)
        folded = fold(records[one.tag], update_of(read_order(row), one.order_id, "poll"))
        records[one.tag] = folded.record
        for filled in folded.fills:
            apply_fill(self.account, filled, LISTED[one.instrument])


def _carried(key: str, product: Product, units: int, unsettled: dict[str, int]) -> Position:
    worth = Decimal(100 * units)
    return Position(
        strategy="carried", instrument=key, instrument_token=1, product=product, quantity=units, cost=worth,
        overnight_quantity=units, overnight_cost=worth, overnight_worth=worth,
        t1_quantity=unsettled.get(key, 0) if product is Product.CNC else 0,
    )  # fmt: skip
