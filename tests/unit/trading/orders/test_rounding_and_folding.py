"""The order state machine, rounding and slicing."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import OrderFailed, OrderFilled, OrderStatus, OrderUpdate, Side
from tests.factories import order, update
from trading.orders.rounding import round_price, round_quantity, slice_quantity
from trading.orders.state import AlarmKind, OrderRecord, fold, submitted

S = OrderStatus


def run(updates: list[OrderUpdate]) -> tuple[OrderRecord, list[OrderFilled], list[OrderFailed]]:
    """Fold reports one after the other."""
    record, fills, failures = submitted(order()), [], []
    for report in updates:
        folded = fold(record, report)
        record = folded.record
        fills += folded.fills
        failures += [folded.failed] if folded.failed else []
    return record, fills, failures


FILLING = [
    update(S.WORKING),
    update(S.PARTIALLY_FILLED, 4, "100", fill_price=Decimal(100), fill_quantity=4),
    update(S.FILLED, 10, "103", fill_price=Decimal(105), fill_quantity=6),
]
CANCELLED = [update(S.WORKING), update(S.PARTIALLY_FILLED, 4, "100"), update(S.CANCELLED, 4, "100", reason="by user")]


@pytest.mark.parametrize("reports", permutations(FILLING), ids=str)
def test_any_order_of_reports_fills_in_full(reports: tuple[OrderUpdate, ...]) -> None:
    record, fills, failures = run(list(reports))
    assert record.status is S.FILLED
    assert sum(one.quantity for one in fills) == 10
    assert sum(one.quantity * one.price for one in fills) == 1030
    assert not failures


@pytest.mark.parametrize("reports", permutations(CANCELLED), ids=str)
def test_any_order_of_reports_ends_cancelled_once_with_its_fills(reports: tuple[OrderUpdate, ...]) -> None:
    record, fills, failures = run(list(reports))
    assert (record.status, record.filled_quantity) == (S.CANCELLED, 4)
    assert sum(one.quantity for one in fills) == 4
    assert [one.outcome for one in failures] == [S.CANCELLED]


@given(st.lists(st.sampled_from(FILLING), max_size=8))
def test_repeats_and_omissions_change_nothing_once_the_last_report_is_in(reports: list[OrderUpdate]) -> None:
    record, fills, _ = run([*reports, FILLING[-1], *reports])
    assert record.status is S.FILLED
    assert sum(one.quantity for one in fills) == 10
    assert len({one.fill_id for one in fills}) == len(fills)


def test_terminal_status_is_absorbing() -> None:
    record, _, failures = run([*CANCELLED, update(S.WORKING), update(S.EXPIRED, 4, "100")])
    assert record.status is S.CANCELLED
    assert len(failures) == 1


def test_fill_after_the_end_is_still_a_fill() -> None:
    record, fills, _ = run([*CANCELLED, update(S.CANCELLED, 6, "100")])
    assert record.filled_quantity == 6
    assert [one.quantity for one in fills] == [4, 2]


def test_more_than_was_ordered_raises_an_alarm() -> None:
    folded = fold(submitted(order()), update(S.FILLED, 11, "100"))
    assert [one.kind for one in folded.alarms] == [AlarmKind.OVERFILL]


def test_repeat_is_recognised() -> None:
    record = fold(submitted(order()), FILLING[0]).record
    assert fold(record, FILLING[0]).is_repeat


def test_price_of_an_unreported_increment_follows_from_the_averages() -> None:
    _, fills, _ = run([update(S.PARTIALLY_FILLED, 4, "100"), update(S.FILLED, 10, "103")])
    assert [one.price for one in fills] == [100, 105]


@pytest.mark.parametrize(
    ("price", "side", "rounded"),
    [("100.07", Side.BUY, "100.05"), ("100.07", Side.SELL, "100.10"), ("100.05", Side.SELL, "100.05")],
)
def test_price_is_rounded_towards_the_cautious_side(price: str, side: Side, rounded: str) -> None:
    assert round_price(Decimal(price), Decimal("0.05"), side) == Decimal(rounded)


@given(st.integers(0, 10**6), st.integers(1, 500))
def test_quantity_is_rounded_down_to_lots(quantity: int, lot: int) -> None:
    rounded = round_quantity(quantity, lot)
    assert rounded % lot == 0
    assert 0 <= quantity - rounded < lot


@given(st.integers(1, 1000), st.integers(1, 50), st.one_of(st.none(), st.integers(50, 5000)))
def test_slices_are_lots_below_the_freeze_quantity_and_sum_to_the_whole(
    lots: int, lot: int, freeze: int | None
) -> None:
    slices = slice_quantity(lots * lot, lot, freeze)
    assert sum(slices) == lots * lot
    assert all(one > 0 and one % lot == 0 for one in slices)
    assert freeze is None or all(one <= freeze for one in slices)
