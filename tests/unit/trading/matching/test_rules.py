"""The paper exchange's assumptions, one at a time."""

from __future__ import annotations

from decimal import Decimal

from models.messages.orders import OrderStatus, Validity
from tests.factories import AT, TOKEN, limit_order, order
from tests.unit.trading.matching.paper import exchange_with, fills, later, show
from trading.matching.rules import MatchingRules, drawn, latency_seconds, most_from_a_tick


def test_without_slippage_nothing_fills_beyond_the_visible_levels() -> None:
    exchange = exchange_with(order(quantity=510), slippage_percent=None)
    assert sum(quantity for quantity, _ in fills(show(exchange, later()))) == 500
    assert fills(show(exchange, later(2, 3))) == [(10, "1500.0500")], "the rest waits like a limit order"


def test_slippage_is_a_percentage_of_the_last_level() -> None:
    exchange = exchange_with(order(quantity=510), slippage_percent=Decimal("0.1"))
    assert fills(show(exchange, later()))[-1] == (10, "1501.7600")  # 1500.25 and 0.1 %, up to the paisa


def test_an_order_may_have_only_a_share_of_each_level() -> None:
    exchange = exchange_with(limit_order("1500.10", quantity=500), level_share_percent=25)
    assert fills(show(exchange, later())) == [(25, "1500.0500"), (25, "1500.1000")]


def test_latency_varies_by_order_within_its_jitter() -> None:
    rules = MatchingRules(latency_ms=500, latency_jitter_ms=5000, seed=3)
    found = {latency_seconds(rules, f"order-{number}") for number in range(200)}
    assert found == {1, 2, 3, 4, 5, 6}
    assert latency_seconds(rules, "order-1") == latency_seconds(rules, "order-1")


def test_another_seed_draws_other_numbers() -> None:
    draws = [[drawn(seed, f"order-{number}", "latency", 1000) for number in range(20)] for seed in (1, 2)]
    assert draws[0] != draws[1]
    assert all(0 <= one < 1000 for one in draws[0] + draws[1])


def test_some_ticks_fill_only_a_part_as_the_seed_says() -> None:
    rules = MatchingRules(partial_percent=50, seed=1)
    parts = [most_from_a_tick(rules, "order", sequence, 100) for sequence in range(400)]
    partial = [part for part in parts if part < 100]
    assert 120 < len(partial) < 280
    assert min(parts) >= 1
    assert parts == [most_from_a_tick(rules, "order", sequence, 100) for sequence in range(400)]
    assert most_from_a_tick(MatchingRules(), "order", 1, 100) == 100


def test_an_order_that_got_a_part_goes_on_until_it_is_full() -> None:
    exchange = exchange_with(limit_order("1500.25", quantity=100), partial_percent=100, seed=1)
    found = []
    for second in range(1, 60):
        found += show(exchange, later(second, second + 1))
    assert sum(one.fill_quantity for one in found) == 100
    assert found[0].status is OrderStatus.PARTIALLY_FILLED
    assert found[-1].status is OrderStatus.FILLED


def test_the_rest_of_a_part_is_cancelled_for_an_immediate_order() -> None:
    exchange = exchange_with(order(quantity=100, validity=Validity.IOC), partial_percent=100, seed=1)
    found = show(exchange, later())
    assert [one.status for one in found] == [OrderStatus.PARTIALLY_FILLED, OrderStatus.CANCELLED]
    assert exchange.books[TOKEN].resting == {}


def test_an_order_that_had_to_wait_is_as_old_as_its_waiting() -> None:
    exchange = exchange_with()
    (working,) = exchange.submit(order(), not_before=AT + 30, after_sequence=7)
    assert working.event_time == AT + 30
    assert show(exchange, later(30, 8)) == []
    assert show(exchange, later(31, 7)) == []
    assert len(fills(show(exchange, later(31, 9)))) == 1
