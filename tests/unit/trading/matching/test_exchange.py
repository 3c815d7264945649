"""The paper exchange: what fills, at which price, and that it does not depend on when the order arrived."""

from __future__ import annotations

from decimal import Decimal

import pytest

from models.messages.orders import OrderStatus, OrderUpdate, PlannedOrder, Side, Validity
from models.messages.ticks import Tick
from tests.factories import AT, TOKEN, limit_order, order, tick
from trading.market.sessions import Phase
from trading.matching.exchange import PaperExchange
from trading.matching.phases import Moment

S = OrderStatus


def fills(updates: list[OrderUpdate]) -> list[tuple[int, Decimal]]:
    """(quantity, price) of each fill."""
    return [(one.fill_quantity, one.fill_price) for one in updates if one.fill_price is not None]


def run(one: PlannedOrder, ticks: list[Tick]) -> list[OrderUpdate]:
    """The order arrives first, then the ticks."""
    exchange = PaperExchange()
    updates = exchange.submit(one)
    for each in ticks:
        updates += exchange.on_tick(each, Moment(each.exchange_time), "run")
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
    exchange = PaperExchange()
    exchange.submit(limit_order("1400", validity=Validity.TTL, validity_minutes=1))
    assert bool(exchange.on_clock(TOKEN, Moment(clock))) is ended


def test_day_order_expires_when_the_market_closes() -> None:
    exchange = PaperExchange()
    exchange.submit(limit_order("1400"))
    assert exchange.on_clock(TOKEN, Moment(AT + 5)) == []
    assert [one.status for one in exchange.on_clock(TOKEN, Moment(AT + 6, Phase.CLOSED))] == [S.EXPIRED]
    assert not exchange.books[TOKEN].resting


def test_repeated_order_and_repeated_tick_give_nothing() -> None:
    exchange = PaperExchange()
    exchange.submit(limit_order("1400"))
    assert exchange.submit(limit_order("1400")) == []
    exchange.on_tick(tick(sequence=2, at=AT + 1), Moment(AT + 1), "run")
    assert exchange.on_tick(tick(price=13_000_000, sequence=2, at=AT + 1), Moment(AT + 1), "run") == []


def test_finished_orders_of_earlier_days_are_forgotten() -> None:
    exchange = PaperExchange()
    exchange.submit(order())
    exchange.on_tick(tick(sequence=2, at=AT + 1), Moment(AT + 1), "run")
    exchange.submit(limit_order("1400", order_id="rests"))
    book = exchange.books[TOKEN]
    book.forget_before(AT + 1)
    assert set(book.known) == {"rests"}
