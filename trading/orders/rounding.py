"""Prices on the tick, quantities on the lot, slices below the freeze quantity. All in Decimal and int."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from models.messages.orders import Side

MOST_SLICES = 10


def round_price(price: Decimal, tick_size: Decimal, side: Side) -> Decimal:
    """The nearest price on the tick that is not worse for us: a buy goes down, a sell goes up.

    A stop order's trigger goes the same way, so that it is never beyond a limit rounded with it, and is reached no
    later than the one that was asked for.
    """
    rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
    return (price / tick_size).to_integral_value(rounding) * tick_size


def round_quantity(quantity: int, lot_size: int) -> int:
    """The quantity rounded down to whole lots."""
    return quantity // lot_size * lot_size


def count_slices(quantity: int, lot_size: int, freeze_quantity: int | None) -> int:
    """How many slices `slice_quantity` makes; 0 when not even one lot is below the freeze quantity."""
    largest = _largest_slice(quantity, lot_size, freeze_quantity)
    return -(-quantity // largest) if largest > 0 else 0


def slice_quantity(quantity: int, lot_size: int, freeze_quantity: int | None) -> list[int]:
    """The quantity cut into whole-lot slices, none above the freeze quantity."""
    largest = _largest_slice(quantity, lot_size, freeze_quantity)
    if largest <= 0:
        return []
    full, rest = divmod(quantity, largest)
    return [largest] * full + ([rest] if rest else [])


def _largest_slice(quantity: int, lot_size: int, freeze_quantity: int | None) -> int:
    return quantity if freeze_quantity is None else round_quantity(freeze_quantity, lot_size)
