"""One bar becomes ticks that give exactly that bar back: open, high, low, close and volume.

The sandbox replays recorded bars through this function, and a backtest uses the same one, so both see the same
market. The path is open, then the extreme nearer to the open, the other extreme, close: one at the beginning of each
quarter of the bar, at seconds 0, 15, 30 and 45 of a minute. Volume is split over the four, the remainder on the last.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from models.messages.ticks import Level, Mode, Tick

QUARTERS = 4
MINUTE = 60
DEPTH = 5
PATTERNS = 17


class Bar(msgspec.Struct, frozen=True):
    """One bar, mostly of a minute: `start` in epoch seconds, prices in 1/10,000 rupee, volume in units."""

    start: int
    open_units: int
    high_units: int
    low_units: int
    close_units: int
    volume: int


class DayState(msgspec.Struct):
    """What the packets of an instrument accumulate over a session; one object per instrument and day."""

    instrument_token: int
    tick_units: int  # the instrument's tick size, 1/10,000 rupee
    tradable: bool = True
    sequence: int = 0
    volume: int = 0
    turnover_units: int = 0
    open_units: int = 0
    high_units: int = 0
    low_units: int = 0
    previous_close_units: int = 0


def path(bar: Bar) -> tuple[int, int, int, int]:
    """Prices of the minute in order."""
    up_first = bar.high_units - bar.open_units <= bar.open_units - bar.low_units
    first, second = (bar.high_units, bar.low_units) if up_first else (bar.low_units, bar.high_units)
    return bar.open_units, first, second, bar.close_units


def ticks_from_bar(bar: Bar, day: DayState, seconds: int = MINUTE) -> Iterator[Tick]:
    """The ticks of a bar `seconds` long; `day` is advanced with each."""
    share = bar.volume // QUARTERS
    for number, price in enumerate(path(bar)):
        last = number == QUARTERS - 1
        traded = bar.volume - share * (QUARTERS - 1) if last else share
        yield trade(day, price, traded, bar.start + number * seconds // QUARTERS)


def trade(day: DayState, price_units: int, quantity: int, at: int) -> Tick:
    """The packet after a trade of `quantity` units at a price; 0 units is a quote change only."""
    day.sequence += 1
    day.volume += quantity
    day.turnover_units += quantity * price_units
    day.open_units = day.open_units or price_units
    day.high_units = max(day.high_units, price_units)
    day.low_units = min(day.low_units or price_units, price_units)
    buy, sell = depth_around(price_units, day.tick_units, day.sequence) if day.tradable else ((), ())
    return Tick(
        day.instrument_token,
        day.sequence,
        Mode.FULL,
        day.tradable,
        price_units,
        quantity,
        _average(day, price_units),
        day.volume,
        sum([level.quantity for level in buy]),
        sum([level.quantity for level in sell]),
        day.open_units,
        day.high_units,
        day.low_units,
        day.previous_close_units,
        last_trade_time=at,
        exchange_time=at,
        buy=buy,
        sell=sell,
    )


def _average(day: DayState, price_units: int) -> int:
    if not day.volume:
        return price_units
    return day.turnover_units // day.volume // 100 * 100  # packets carry paise


def _sizes(seed: int, *, is_buy: bool) -> tuple[tuple[int, int], ...]:
    """Quantity and orders of each level of a side."""
    varied = [(number, (seed * 7919 + number * 104_729) % PATTERNS + 3) for number in range(1, DEPTH + 1)]
    if is_buy:
        return tuple((one * 25 * number, one) for number, one in varied)
    return tuple(((20 - one) * 25 * number + 25, 21 - one) for number, one in varied)


SIZES = tuple((_sizes(seed, is_buy=True), _sizes(seed, is_buy=False)) for seed in range(PATTERNS))


def depth_around(price_units: int, tick_units: int, seed: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """Five levels either side of a price, one tick apart; quantities vary with `seed`, deterministically."""
    step, price = max(tick_units, 1), price_units
    (b1, b2, b3, b4, b5), (s1, s2, s3, s4, s5) = SIZES[seed % PATTERNS]
    buy = (  # written out: half the time of a backtest's ticks goes into these ten
        Level(price, b1[0], b1[1]),
        Level(price - step, b2[0], b2[1]),
        Level(price - 2 * step, b3[0], b3[1]),
        Level(price - 3 * step, b4[0], b4[1]),
        Level(price - 4 * step, b5[0], b5[1]),
    )
    sell = (
        Level(price + step, s1[0], s1[1]),
        Level(price + 2 * step, s2[0], s2[1]),
        Level(price + 3 * step, s3[0], s3[1]),
        Level(price + 4 * step, s4[0], s4[1]),
        Level(price + 5 * step, s5[0], s5[1]),
    )
    return buy if price > 4 * step else tuple(one for one in buy if one.price_units > 0), sell
