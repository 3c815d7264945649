"""What has been booked of an order, whatever order its fills come in."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trading.accounting.booked import Finished, Orders, OrderTurnover, book_units, order_key, recall, remember


@pytest.mark.parametrize(
    ("spans", "new", "cumulative", "ahead"),
    [
        ([(0, 10)], 10, 10, []),
        ([(0, 10), (0, 10)], 0, 10, []),
        ([(0, 10), (10, 15)], 5, 15, []),
        ([(10, 15)], 5, 0, [(10, 15)]),
        ([(10, 15), (10, 15)], 0, 0, [(10, 15)]),
        ([(10, 15), (0, 10)], 10, 15, []),
        ([(10, 15), (0, 5)], 5, 5, [(10, 15)]),
        ([(10, 15), (20, 25)], 5, 0, [(10, 15), (20, 25)]),
        ([(20, 25), (10, 15)], 5, 0, [(10, 15), (20, 25)]),
        ([(10, 15), (20, 25), (15, 20)], 5, 0, [(10, 25)]),
        ([(10, 15), (20, 25), (0, 30)], 20, 30, []),
        ([(0, 10), (5, 12)], 2, 12, []),
        ([(0, 10), (2, 8)], 0, 10, []),
        ([(5, 10), (2, 8)], 3, 0, [(2, 10)]),
        ([(5, 10), (8, 12)], 2, 0, [(5, 12)]),
    ],
)
def test_only_units_not_booked_before_count(
    spans: list[tuple[int, int]], new: int, cumulative: int, ahead: list[tuple[int, int]]
) -> None:
    order = OrderTurnover()
    counts = [book_units(order, *span) for span in spans]
    assert (counts[-1], order.cumulative_quantity, order.ahead) == (new, cumulative, ahead)


def test_an_order_that_may_still_fill_is_kept_whole() -> None:
    orders: Orders = {}
    finished: Finished = {}
    one = OrderTurnover(9, Decimal(900), Decimal(1), "2026-08-20")
    remember(orders, finished, "a", one, 10)
    assert recall(orders, finished, "a") is one
    assert finished == {}


def test_an_order_with_a_gap_is_not_finished_however_much_has_filled() -> None:
    orders: Orders = {}
    finished: Finished = {}
    remember(orders, finished, "a", OrderTurnover(10, day="2026-08-20", ahead=[(12, 14)]), 10)
    assert (list(orders), finished) == (["a"], {})


def test_a_finished_order_shrinks_to_its_key_and_quantity() -> None:
    one = OrderTurnover(10, Decimal(1000), Decimal(1), "2026-08-20")
    orders = {"a": one, "b": OrderTurnover(1)}
    finished: Finished = {}
    remember(orders, finished, "a", one, 10)
    assert (list(orders), finished) == (["b"], {"2026-08-20": {order_key("a"): 10}})
    assert recall(orders, finished, "a") == OrderTurnover(10)
    assert recall(orders, finished, "c") == OrderTurnover(0)


def test_finished_orders_of_a_day_are_kept_together() -> None:
    orders: Orders = {}
    finished: Finished = {}
    for name, quantity, day in (("a", 1, "2026-08-20"), ("b", 2, "2026-08-20"), ("a", 3, "2026-08-21")):
        remember(orders, finished, name, OrderTurnover(quantity, day=day), quantity)
    assert finished == {
        "2026-08-20": {order_key("a"): 1, order_key("b"): 2},
        "2026-08-21": {order_key("a"): 3},
    }
    assert recall(orders, finished, "a").cumulative_quantity == 3


def test_keys_are_64_bits_and_the_same_in_every_process() -> None:
    assert order_key("order-1") == 0x2599000E8C1B023D  # printf order-1 | b2sum -l 64
    assert len({order_key(f"order-{number}") for number in range(1000)}) == 1000
    assert max(order_key(f"order-{number}") for number in range(1000)) >> 63 == 1
    assert all(order_key(f"order-{number}") < 2**64 for number in range(1000))
