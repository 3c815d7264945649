"""Cancels reach the exchange after the latency, and end what still rests then."""

from __future__ import annotations

from models.messages.orders import OrderStatus
from tests.factories import AT, TOKEN, limit_order, order
from tests.unit.trading.matching.paper import exchange_with, fills, later, show
from trading.matching.phases import Moment

S = OrderStatus
ONE = limit_order("1400")


def test_a_cancel_takes_effect_after_the_latency() -> None:
    exchange = exchange_with(ONE)
    assert exchange.cancel(TOKEN, ONE.order_id, sent_at=AT + 5, clock=AT + 5) == []
    assert exchange.on_clock(TOKEN, Moment(AT + 5)) == []
    (report,) = exchange.on_clock(TOKEN, Moment(AT + 6))
    assert (report.status, report.event_time, report.reason) == (S.CANCELLED, AT + 6, "Cancelled on request")
    assert exchange.books[TOKEN].resting == {}


def test_a_fill_before_the_cancel_arrives_stands() -> None:
    exchange = exchange_with(limit_order("1500.05", quantity=150))
    exchange.cancel(TOKEN, ONE.order_id, sent_at=AT + 1, clock=AT + 1)
    assert fills(show(exchange, later(1))) == [(100, "1500.0500")]
    (report,) = show(exchange, later(2, 3))
    assert (report.status, report.cumulative_quantity) == (S.CANCELLED, 100)


def test_a_late_cancel_takes_effect_at_once() -> None:
    exchange = exchange_with(ONE)
    (report,) = exchange.cancel(TOKEN, ONE.order_id, sent_at=AT, clock=AT + 60)
    assert (report.status, report.event_time) == (S.CANCELLED, AT + 60)


def test_a_second_cancel_does_not_delay_the_first() -> None:
    exchange = exchange_with(ONE)
    exchange.cancel(TOKEN, ONE.order_id, sent_at=AT, clock=AT)
    exchange.cancel(TOKEN, ONE.order_id, sent_at=AT + 50, clock=AT)
    assert len(exchange.on_clock(TOKEN, Moment(AT + 1))) == 1


def test_a_cancel_of_what_does_not_rest_gives_nothing() -> None:
    exchange = exchange_with(order())
    show(exchange, later())
    assert exchange.cancel(TOKEN, order().order_id, sent_at=AT, clock=AT + 60) == []
    assert exchange.cancel(TOKEN, "never seen", sent_at=AT, clock=AT + 60) == []
    assert exchange.cancel(1, "of an instrument never seen", sent_at=AT, clock=AT + 60) == []
