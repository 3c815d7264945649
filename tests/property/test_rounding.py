"""Prices on the tick, quantities in lots, slices below the freeze quantity."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from models.messages.orders import Side
from models.messages.ticks import to_units
from models.messages.validation import MAX_QUANTITY
from trading.orders.rounding import count_slices, round_price, round_quantity, slice_quantity

ticks = st.sampled_from([Decimal(size) for size in ("0.0001", "0.0025", "0.01", "0.05", "0.1", "0.5", "1", "5")])


@given(price=st.decimals(0, 10**9, places=6), tick=ticks, side=st.sampled_from(Side))
def test_a_price_moves_to_the_nearest_tick_that_is_not_worse(price: Decimal, tick: Decimal, side: Side) -> None:
    rounded = round_price(price, tick, side)
    assert rounded % tick == 0
    assert 0 <= (price - rounded) * side.sign < tick
    assert round_price(rounded, tick, side) == rounded
    to_units(rounded)


@given(lots=st.integers(1, 3000), lot=st.integers(1, 500), freeze=st.one_of(st.none(), st.integers(0, 5000)))
def test_slices_are_whole_lots_below_the_freeze_quantity_and_as_few_as_can_be(
    lots: int, lot: int, freeze: int | None
) -> None:
    quantity = lots * lot
    slices = slice_quantity(quantity, lot, freeze)
    assert len(slices) == count_slices(quantity, lot, freeze)
    if freeze is not None and freeze < lot:
        assert slices == []
        return
    assert sum(slices) == quantity
    assert all(one % lot == 0 and 0 < one <= (freeze or quantity) for one in slices)
    assert slices == sorted(slices, reverse=True)
    if freeze is not None:
        assert (len(slices) - 1) * round_quantity(freeze, lot) < quantity


@given(quantity=st.integers(1, MAX_QUANTITY), lot=st.integers(1, 500), freeze=st.integers(1, 5000))
def test_slices_are_counted_without_being_made(quantity: int, lot: int, freeze: int) -> None:
    count = count_slices(quantity, lot, freeze)
    largest = round_quantity(freeze, lot)
    assert count == 0 if largest == 0 else count * largest >= quantity > (count - 1) * largest


@given(
    trigger=st.decimals(1, 10**6, places=6), away=st.decimals(0, 100, places=6), tick=ticks, side=st.sampled_from(Side)
)
def test_a_trigger_is_reached_no_later_and_stays_on_its_side_of_the_limit(
    trigger: Decimal, away: Decimal, tick: Decimal, side: Side
) -> None:
    limit = trigger + side.sign * away
    rounded, bound = round_price(trigger, tick, side), round_price(limit, tick, side)
    assert (trigger - rounded) * side.sign >= 0
    assert (bound - rounded) * side.sign >= 0
