"""How an order trades with the visible book. Pure but for `Liquidity`, which remembers what our own fills took."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from models.messages.ticks import Tick
from sandbox.money import UNITS, down, up
from sandbox.vocabulary import Side

UNLIMITED = 2**53
AUTOMATIC = -1
OPTIONS = ("CE", "PE")
EQUITY_PROTECTION = ((100, Decimal(2)), (500, Decimal(1)), (10**9, Decimal("0.5")))  # below so many rupees: percent
OPTION_PROTECTION = ((10, Decimal(5)), (100, Decimal(3)), (500, Decimal(2)), (10**9, Decimal(1)))
Fill = tuple[int, int]  # price in units, quantity


def is_within(side: Side, price: int, limit: int) -> bool:
    """True when `price` is at least as good as `limit`."""
    return price <= limit if side is Side.BUY else price >= limit


def is_triggered(side: Side, trigger: int, last_price: int) -> bool:
    """True when the last price has reached a stop's trigger."""
    return last_price >= trigger if side is Side.BUY else last_price <= trigger


def automatic_percent(instrument_type: str, price: int) -> Decimal:
    """Automatic protection by price in units. Source: Zerodha's support pages, "market price protection"."""
    bands = OPTION_PROTECTION if instrument_type in OPTIONS else EQUITY_PROTECTION
    return next(percent for below, percent in bands if price < below * UNITS)


def protected_price(side: Side, price: int, percent: Decimal, step: int) -> int:
    """The limit a protected market order gets: `percent` beyond `price`, in whole tick sizes, rounded towards it."""
    limit = price * (1 + side.sign * percent / 100)
    return max(step, down(limit, step) if side is Side.BUY else up(limit, step))


class Liquidity:
    """What is left of each instrument's book since its last tick."""

    def __init__(self) -> None:
        self._taken: dict[int, tuple[Tick, dict[tuple[Side, int], int]]] = {}

    def levels(self, tick: Tick, side: Side) -> Iterator[Fill]:
        """What an order of `side` can trade with, best first. Without any book: the last price, any quantity."""
        book = tick.sell if side is Side.BUY else tick.buy
        if not (tick.buy or tick.sell):
            yield tick.last_price_units, UNLIMITED
            return
        taken = self._of(tick)
        for level in book:
            left = level.quantity - taken.get((side, level.price_units), 0)
            if left > 0:
                yield level.price_units, left

    def take(self, tick: Tick, side: Side, price: int, quantity: int) -> None:
        """A fill has used up a part of a level."""
        taken = self._of(tick)
        taken[side, price] = taken.get((side, price), 0) + quantity

    def _of(self, tick: Tick) -> dict[tuple[Side, int], int]:
        seen = self._taken.get(tick.instrument_token)
        if seen is None or seen[0] is not tick:
            seen = (tick, {})
            self._taken[tick.instrument_token] = seen
        return seen[1]

    def fill(self, tick: Tick, side: Side, limit: int, quantity: int, *, resting: bool) -> list[Fill]:
        """Fills of `quantity` within `limit`: at the own price of a resting order, else at the book's."""
        fills: list[Fill] = []
        for price, left in self.levels(tick, side):
            if not (quantity and is_within(side, price, limit)):
                break
            part = min(left, quantity)
            self.take(tick, side, price, part)
            fills.append((price, part))
            quantity -= part
        return [(limit, sum(part for _, part in fills))] if resting and fills else fills
