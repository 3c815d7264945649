"""The paper exchange: what fills, at which price, and that it does not depend on when the order arrived."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import OrderStatus, OrderUpdate, PlannedOrder, Side, Validity
from models.messages.ticks import Tick
from tests.factories import AT, limit_order, order, tick
from trading.market.sessions import Phase
from trading.matching.book import PaperBook, cancel, expire, forget_before, match, place

S = OrderStatus
LATENCY = 150


def fills(updates: list[OrderUpdate]) -> list[tuple[int, Decimal]]:
    """(quantity, price) of each fill."""
    return [(one.fill_quantity, one.fill_price) for one in updates if one.fill_price is not None]


def run(one: PlannedOrder, ticks: list[Tick]) -> list[OrderUpdate]:
    """The order arrives first, then the ticks."""
    book = PaperBook()
    updates = place(book, one, [], LATENCY)
    for each in ticks:
        updates += match(book, each, "run")
    return updates


def test_market_order_fills_on_the_first_tick_after_the_latency() -> None:
    assert fills(run(order(), [tick(sequence=2, at=AT)])) == []
    found = fills(run(order(), [tick(sequence=2, at=AT), tick(sequence=3, at=AT + 1)]))
    assert found == [(10, Decimal("1500.05"))]


def test_order_never_meets_its_own_tick() -> None:
    assert fills(run(order(tick_sequence=5), [tick(sequence=5, at=AT + 9)])) == []


def test_market_order_walks_the_levels_and_pays_more_beyond_them() -> None:
    found = fills(run(order(quantity=510), [tick(sequence=2, at=AT + 1)]))
    assert found[:2] == [(100, Decimal("1500.05")), (100, Decimal("1500.10"))]
    assert found[-1] == (10, Decimal("1501.01"))  # last level 1500.25, 0.05 % more, up to the paisa
    assert sum(quantity for quantity, _ in found) == 510


def test_sell_meets_the_bids() -> None:
    assert fills(run(order(side=Side.SELL), [tick(sequence=2, at=AT + 1)])) == [(10, Decimal("1499.95"))]


def test_limit_order_fills_only_within_its_limit() -> None:
    one = limit_order("1500.05", quantity=150)
    found = run(one, [tick(sequence=2, at=AT + 1)])
    assert fills(found) == [(100, Decimal("1500.05"))]
    assert found[-1].status is S.PARTIALLY_FILLED


def test_limit_order_fills_at_its_price_when_trades_go_through_it() -> None:
    one = limit_order("1499.00")
    before, through = tick(sequence=2, at=AT + 1), tick(price=14_980_000, sequence=3, at=AT + 2, sell=())
    assert fills(run(one, [before])) == []
    assert fills(run(one, [through])) == []  # that trade may have come before the order
    assert fills(run(one, [before, through])) == [(10, Decimal("1499.00"))]


def test_immediate_or_cancel_cancels_the_rest_at_once() -> None:
    one = limit_order("1500.05", quantity=150, validity=Validity.IOC)
    found = run(one, [tick(sequence=2, at=AT + 1)])
    assert fills(found) == [(100, Decimal("1500.05"))]
    assert (found[-1].status, found[-1].cumulative_quantity) == (S.CANCELLED, 100)


def test_order_with_a_time_to_live_expires_before_a_later_tick_can_fill_it() -> None:
    one = limit_order("1400", validity=Validity.TTL, validity_minutes=1)
    cheap = tick(price=13_000_000, sequence=2, at=AT + 60)
    found = run(one, [cheap])
    assert [each.status for each in found] == [S.WORKING, S.EXPIRED]
    assert found[-1].event_time == AT + 60


@pytest.mark.parametrize(("clock", "ended"), [(AT + 59, False), (AT + 60, True)])
def test_clock_expires_a_time_to_live(clock: int, ended: bool) -> None:
    book = PaperBook()
    place(book, limit_order("1400", validity=Validity.TTL, validity_minutes=1), [], LATENCY)
    assert bool(expire(book, clock, Phase.CONTINUOUS)) is ended


def test_day_order_expires_when_the_market_closes() -> None:
    book = PaperBook()
    place(book, limit_order("1400"), [], LATENCY)
    assert expire(book, AT + 5, Phase.CONTINUOUS) == []
    assert [one.status for one in expire(book, AT + 6, Phase.CLOSED)] == [S.EXPIRED]
    assert not book.resting


def test_repeated_order_and_repeated_tick_give_nothing() -> None:
    book = PaperBook()
    place(book, limit_order("1400"), [], LATENCY)
    assert place(book, limit_order("1400"), [], LATENCY) == []
    match(book, tick(sequence=2, at=AT + 1), "run")
    assert match(book, tick(price=13_000_000, sequence=2, at=AT + 1), "run") == []


def test_cancel_ends_what_rests_and_ignores_the_rest() -> None:
    book = PaperBook()
    one = limit_order("1400")
    place(book, one, [], LATENCY)
    assert [each.status for each in cancel(book, one.order_id, AT + 1)] == [S.CANCELLED]
    assert cancel(book, one.order_id, AT + 1) == []


def test_finished_orders_of_earlier_days_are_forgotten() -> None:
    book = PaperBook()
    place(book, order(), [tick(sequence=2, at=AT + 1)], LATENCY)
    place(book, limit_order("1400", order_id="rests"), [], LATENCY)
    forget_before(book, AT + 1)
    assert set(book.known) == {"rests"}


prices = st.integers(14_900, 15_100).map(lambda paise: paise * 1000)
markets = st.lists(st.tuples(prices, st.integers(0, 3)), min_size=1, max_size=12)
orders = st.builds(
    lambda side, quantity, limit, validity: (
        order(side=side, quantity=quantity, validity=validity, validity_minutes=1)
        if limit is None
        else limit_order(str(Decimal(limit) / 10), side=side, quantity=quantity, validity=validity, validity_minutes=1)
    ),
    st.sampled_from(Side),
    st.integers(1, 700),
    st.one_of(st.none(), st.integers(14_900, 15_100)),
    st.sampled_from([Validity.DAY, Validity.IOC, Validity.TTL]),
)


def ticks_of(moves: list[tuple[int, int]]) -> list[Tick]:
    """Ticks with rising sequence and time."""
    found, at = [], AT
    for number, (price, pause) in enumerate(moves, 2):
        at += pause
        found.append(tick(price=price, sequence=number, at=at))
    return found


@given(one=orders, moves=markets, arrives=st.integers(0, 12), stored=st.integers(0, 12))
def test_fills_do_not_depend_on_when_the_order_arrives(
    one: PlannedOrder, moves: list[tuple[int, int]], arrives: int, stored: int
) -> None:
    ticks = ticks_of(moves)
    in_time = run(one, ticks)
    book = PaperBook()
    for early in ticks[:arrives]:
        match(book, early, "run")
    late = place(book, one, ticks[:arrives], LATENCY)
    for number, each in enumerate(ticks[arrives:]):
        if number == stored:  # the state goes through the table in between
            book = msgspec.msgpack.decode(msgspec.msgpack.encode(book), type=PaperBook)
        late += match(book, each, "run")
    assert late == in_time


@given(one=orders, moves=markets)
def test_never_more_than_ordered_never_beyond_the_limit(one: PlannedOrder, moves: list[tuple[int, int]]) -> None:
    found = fills(run(one, ticks_of(moves)))
    assert sum(quantity for quantity, _ in found) <= one.quantity
    for _, price in found:
        if one.limit_price is not None:
            assert price <= one.limit_price if one.side is Side.BUY else price >= one.limit_price
