"""Books kept a second way, in fractions: what the accounting must agree with, and random days of trading.

The model knows nothing of charges booked bit by bit, of rounding, of strategies' books or of settlement: it adds up
what was paid and got, and averages costs exactly.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from models.messages.orders import OrderFilled, PlannedOrder, Product, Side
from tests.factories import AT, filled, instrument, order
from trading.accounting.day import DayEnd
from trading.charges.charges import charges_for, segment_kind
from trading.market.instruments import Instrument
from trading.market.sessions import trading_day

FIRST_DAY = trading_day(AT)
FAR = FIRST_DAY + timedelta(days=400)
INDEX = "NSE:NIFTY 50"
INSTRUMENTS: dict[str, Instrument] = {
    one.key: one
    for one in (
        instrument(),
        instrument(instrument_token=2, exchange="BSE", tradingsymbol="TCS"),
        instrument(
            instrument_token=3,
            exchange="NFO",
            tradingsymbol="NIFTYFUT",
            instrument_type="FUT",
            name="NIFTY",
            expiry=FAR,
        ),
        instrument(
            instrument_token=4,
            exchange="BFO",
            tradingsymbol="SENSEX80000CE",
            instrument_type="CE",
            name="SENSEX",
            strike=Decimal(80_000),
            expiry=FAR,
        ),
    )
}
STRATEGIES = ("momentum", "rsi")
Whose = tuple[str, str, Product]


def products(key: str) -> tuple[Product, ...]:
    """Products an instrument is traded under."""
    return (Product.MIS, Product.CNC) if INSTRUMENTS[key].instrument_type == "EQ" else (Product.MIS, Product.NRML)


prices = st.one_of(
    st.integers(1, 10**7).map(lambda paise: Decimal(paise) / 100),
    st.decimals("0.01", "99999", places=6),  # derived from a broker's averages
)
marks = st.fixed_dictionaries({}, optional=dict.fromkeys(INSTRUMENTS, prices))
all_marks = st.fixed_dictionaries(dict.fromkeys(INSTRUMENTS, prices))


@st.composite
def planned(draw: st.DrawFn, number: int, quantity: int) -> PlannedOrder:
    """An order for at least so many units."""
    key = draw(st.sampled_from(sorted(INSTRUMENTS)))
    return order(
        order_id=f"order-{number}",
        strategy=draw(st.sampled_from(STRATEGIES)),
        instrument=key,
        instrument_token=INSTRUMENTS[key].instrument_token,
        side=draw(st.sampled_from(Side)),
        product=draw(st.sampled_from(products(key))),
        quantity=quantity + draw(st.integers(0, 5)),
    )


@st.composite
def fills(draw: st.DrawFn, most_orders: int = 8, first: int = 0, at: int = AT + 1) -> list[OrderFilled]:
    """Fills of several orders, interleaved, in order within each."""
    queues: list[list[OrderFilled]] = []
    for number in range(first, first + draw(st.integers(1, most_orders))):
        parts = draw(st.lists(st.integers(1, 120), min_size=1, max_size=4))
        one = draw(planned(number, sum(parts)))
        done, queue = 0, []
        for quantity in parts:
            done += quantity
            queue.append(filled(one, quantity, str(draw(prices)), done, event_time=at))
        queues.append(queue)
    turns = draw(st.permutations([number for number, queue in enumerate(queues) for _ in queue]))
    iterators = [iter(queue) for queue in queues]
    return [next(iterators[number]) for number in turns]


@st.composite
def days(draw: st.DrawFn, most_days: int = 4) -> list[tuple[date, DayEnd | None, list[OrderFilled]]]:
    """Days of trading, some with nothing in between: the day, how the last one ended, the day's fills."""
    day, found, number = FIRST_DAY, [], 0
    before: date | None = None
    for _ in range(draw(st.integers(1, most_days))):
        ended = None if before is None else draw(st.none() | marks.map(lambda some, at=before: DayEnd(at, some)))
        at = AT + 1 + (day - FIRST_DAY).days * 86_400
        todays = draw(fills(most_orders=4, first=number, at=at))
        number += 10
        found.append((day, ended, todays))
        before, day = day, day + timedelta(days=draw(st.integers(1, 5)))
    return found


class Model:
    """Exact books of the same fills. Money in rupees, as fractions."""

    def __init__(self) -> None:
        self.quantity: dict[Whose, int] = defaultdict(int)
        self.flow: dict[Whose, Fraction] = defaultdict(Fraction)  # got less paid
        self.cost: dict[Whose, Fraction] = defaultdict(Fraction)
        self.realised: dict[Whose, Fraction] = defaultdict(Fraction)
        self.closes = 0
        self._turnover: dict[str, Decimal] = defaultdict(Decimal)
        self._charges: dict[str, tuple[str, Decimal]] = {}

    def fill(self, one: OrderFilled) -> None:
        """Book one fill."""
        planned, of = one.order, INSTRUMENTS[one.order.instrument]
        whose = planned.strategy, planned.instrument, planned.product
        signed, price = planned.side.sign * one.quantity, Fraction(one.price)
        self.flow[whose] -= signed * price
        self._average(whose, signed, price)
        self._turnover[planned.order_id] += one.quantity * one.price
        kind = segment_kind(of.instrument_type, planned.product)
        cost = charges_for(
            kind, of.exchange, planned.side, self._turnover[planned.order_id], trading_day(one.event_time)
        )
        self._charges[planned.order_id] = planned.strategy, cost.total

    def _average(self, whose: Whose, signed: int, price: Fraction) -> None:
        held = self.quantity[whose]
        closing = min(abs(signed), abs(held)) if held * signed < 0 else 0
        if closing:
            released = self.cost[whose] * closing / abs(held)
            sign = 1 if held > 0 else -1
            self.realised[whose] += sign * closing * price - released
            self.cost[whose] -= released
            self.closes += 1
        opening = abs(signed) - closing
        self.cost[whose] += (1 if signed > 0 else -1) * opening * price
        self.quantity[whose] += signed

    def charges(self, strategy: str | None = None) -> Fraction:
        """Charges of all orders, or of one strategy's."""
        return sum(
            (Fraction(total) for whose, total in self._charges.values() if strategy in (None, whose)), Fraction(0)
        )

    def gained(self, now: dict[str, Decimal], strategy: str | None = None) -> Fraction:
        """What all positions have made at these marks, charges included; every open instrument needs a mark."""
        total = -self.charges(strategy)
        for whose, flow in self.flow.items():
            if strategy in (None, whose[0]):
                held = self.quantity[whose]
                total += flow + (held * Fraction(now[whose[1]]) if held else 0)
        return total


def delivery_charges(model_days: list[Any]) -> int:
    """How many times the depository charges: once for every share and day with more sold than bought for delivery."""
    count = 0
    for todays in model_days:
        net: dict[str, int] = defaultdict(int)
        for one in todays:
            if one.order.product is Product.CNC:
                net[one.order.instrument] += one.order.side.sign * one.quantity
        count += len({key.partition(":")[2] for key, units in net.items() if units < 0})
    return count
