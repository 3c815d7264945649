"""What one order can trade with in one tick. Prices in 1/10,000 rupee; a level without a price is padding."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache

from models.messages.orders import PlannedOrder, Side
from models.messages.ticks import Level, Tick, to_units
from trading.matching.rules import MatchingRules, protection_percent

Piece = tuple[int, int]  # price, quantity
PAISE_UNITS = 100
PAISA = Decimal("0.01")


def opposite(side: Side, tick: Tick) -> list[Level]:
    """The levels an order of that side trades with, best first."""
    return [level for level in (tick.sell if side is Side.BUY else tick.buy) if level.price_units]


def acceptable(side: Side, price: int, limit: int) -> bool:
    """True when the price is the limit or better."""
    return price <= limit if side is Side.BUY else price >= limit


def walk(side: Side, levels: list[Level], quantity: int, limit: int, share_percent: int) -> list[Piece]:
    """Pieces of the levels within the limit, best first, up to the share of each."""
    found = []
    for level in levels:
        if quantity <= 0 or not acceptable(side, level.price_units, limit):
            break
        offered = level.quantity if share_percent == 100 else level.quantity * share_percent // 100
        taken = min(offered, quantity)
        if taken:
            quantity -= taken
            found.append((level.price_units, taken))
    return found


def beyond(rules: MatchingRules, side: Side, tick: Tick, levels: list[Level]) -> int:
    """Price of what the visible levels do not hold; 0 when nobody is there to trade with.

    Only a tick without any book fills at its last price.
    """
    if rules.slippage_percent is None:
        return 0
    if not levels:
        return 0 if opposite(side.opposite, tick) else tick.last_price_units
    paise = levels[-1].price_units * (1 + side.sign * rules.slippage_percent / 100) / PAISE_UNITS
    rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
    return max(1, int(paise.to_integral_value(rounding))) * PAISE_UNITS


def protected(order: PlannedOrder, from_units: int, tick_size: Decimal) -> int:
    """The limit a MARKET or SL-M order gets, its protection away from `from_units`; never below one tick."""
    step = tick_units(tick_size)
    exact = from_units * (100 + order.side.sign * protection_percent(order, from_units))
    steps, rest = divmod(exact, step * 100)
    if rest and order.side is Side.SELL:
        steps += 1
    return max(step, int(steps) * step)


@lru_cache(maxsize=256)
def tick_units(tick_size: Decimal) -> int:
    """A tick size in 1/10,000 rupee."""
    return to_units(tick_size)


def reference(side: Side, tick: Tick) -> int:
    """The price protection is measured from: the last trade, or the best level when nothing has traded."""
    if tick.last_price_units:
        return tick.last_price_units
    levels = opposite(side, tick)
    return levels[0].price_units if levels else 0


def within_band(limit: int, reference_units: int, percent: Decimal) -> bool:
    """True when a limit is no further than `percent` from the auction's reference price."""
    return abs(limit - reference_units) * 100 <= percent * reference_units
