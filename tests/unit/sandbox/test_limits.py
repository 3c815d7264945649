"""Rolling windows of calls."""

from __future__ import annotations

from datetime import date

import pytest

from sandbox.errors import Refused
from sandbox.limits import Budget, Limits, budget_of
from sandbox.rules import CallLimits


class Clock:
    def __init__(self, **limits: int | bool) -> None:
        self.now = 0.0
        self.day = date(2026, 8, 20)
        self.limits = Limits(CallLimits.model_validate(limits), lambda: self.now, lambda: self.day)

    def allows(self, budget: Budget = Budget.ORDERS) -> bool:
        try:
            self.limits.check(budget)
        except Refused as refused:
            assert (refused.status, refused.kind, str(refused)) == (429, "NetworkException", "Too many requests")
            return False
        return True


def test_ten_orders_in_any_second() -> None:
    clock = Clock()
    for number in range(10):
        clock.now = number * 0.09
        assert clock.allows()
    clock.now = 0.999
    assert not clock.allows()
    clock.now = 1.0  # the first has left the window, the refused one is in it
    assert not clock.allows()
    clock.now = 2.1
    assert clock.allows()


def test_call_leaves_the_window_after_exactly_a_second() -> None:
    clock = Clock()
    assert all(clock.allows() for _ in range(10))
    clock.now = 1.0
    assert clock.allows()


def test_four_hundred_orders_in_any_minute() -> None:
    clock = Clock()
    for number in range(400):
        clock.now = number * 0.11
        assert clock.allows()
    clock.now += 1
    assert not clock.allows()
    clock.now = 60.5
    assert clock.allows()


def test_orders_of_a_day_with_slices_and_again_on_the_next_day() -> None:
    clock = Clock(orders_per_day=5)
    assert clock.allows()
    assert clock.limits.count_orders(3)
    clock.now = 100
    assert clock.allows()
    assert not clock.allows()
    clock.day = date(2026, 8, 21)
    clock.now = 200
    assert clock.allows()
    assert clock.limits.orders_today == 1


@pytest.mark.parametrize(("budget", "most"), [(Budget.QUOTES, 1), (Budget.HISTORICAL, 3), (Budget.OTHERS, 10)])
def test_each_budget_is_its_own(budget: Budget, most: int) -> None:
    clock = Clock()
    assert [clock.allows(budget) for _ in range(most + 1)] == [True] * most + [False]
    assert clock.allows(Budget.ORDERS)


def test_limits_can_be_switched_off() -> None:
    clock = Clock(enabled=False)
    assert all(clock.allows() for _ in range(6_000))


@pytest.mark.parametrize(
    ("call", "budget"),
    [
        ("POST /orders/regular", Budget.ORDERS),
        ("PUT /orders/regular/1", Budget.ORDERS),
        ("DELETE /orders/regular/1", Budget.ORDERS),
        ("GET /orders", Budget.OTHERS),
        ("GET /orders/1/trades", Budget.OTHERS),
        ("GET /quote", Budget.QUOTES),
        ("GET /quote/ltp", Budget.QUOTES),
        ("GET /instruments/historical/1/minute", Budget.HISTORICAL),
        ("GET /portfolio/positions", Budget.OTHERS),
        ("POST /margins/orders", Budget.OTHERS),
    ],
)
def test_budget_of_a_call(call: str, budget: Budget) -> None:
    assert budget_of(*call.split()) is budget
