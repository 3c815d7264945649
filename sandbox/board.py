"""The last tick of every instrument, its price band, and its candles."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from models.messages.ticks import Level, Mode, Tick, to_units
from sandbox.candles import Candles
from sandbox.money import down, up
from trading.market.instruments import Instrument

DEPTH = 5
LEVEL_QUANTITY = 1_000


class Board:
    """What the exchange knows of prices. `band_percent` is how far a price may be from the previous close."""

    def __init__(self, band_percent: Decimal) -> None:
        self.candles = Candles()
        self._band = band_percent / 100
        self._last: dict[int, Tick] = {}

    def note(self, ticks: Sequence[Tick]) -> None:
        """Take ticks in."""
        self._last.update((tick.instrument_token, tick) for tick in ticks)
        self.candles.note(ticks)

    def last(self, instrument: Instrument) -> Tick | None:
        """The last tick, None before the first."""
        return self._last.get(instrument.instrument_token)

    def last_price(self, instrument: Instrument) -> int:
        """Units; 0 before the first tick."""
        tick = self.last(instrument)
        return tick.last_price_units if tick else 0

    def close(self, instrument: Instrument) -> int:
        """The previous close, units; 0 before the first tick."""
        tick = self.last(instrument)
        return tick.close_units if tick else 0

    def circuit_limits(self, instrument: Instrument) -> tuple[int, int]:
        """Lowest and highest price of the day, units; (0, 0) while nothing is known, and for indices."""
        close = self.close(instrument) or self.last_price(instrument)
        step = to_units(instrument.tick_size)
        if not (close and step):
            return 0, 0
        return up(close * (1 - self._band), step), down(close * (1 + self._band), step)


def tick_at(
    instrument: Instrument,
    price: int,
    at: int,
    before: Tick | None,
    book: tuple[Sequence[Level], Sequence[Level]] | None = None,
    quantity: int = 0,
) -> Tick:
    """A tick made by hand: a last price, and a book one tick size round it unless one is given."""
    step = to_units(instrument.tick_size)
    buy, sell = book or _book(price, step)
    volume = (before.volume if before else 0) + quantity
    high, low = (before.high_units, before.low_units) if before and before.open_units else (price, price)
    return Tick(
        instrument.instrument_token,
        before.sequence + 1 if before else 1,
        Mode.FULL,
        instrument.is_tradable,
        price,
        quantity,
        price,
        volume,
        sum(one.quantity for one in buy),
        sum(one.quantity for one in sell),
        (before.open_units if before else 0) or price,
        max(high, price),
        min(low, price),
        (before.close_units if before else 0) or price,
        at,
        0,
        0,
        0,
        at,
        tuple(buy),
        tuple(sell),
    )


def _book(price: int, step: int) -> tuple[list[Level], list[Level]]:
    if not step:
        return [], []
    bids = [Level(max(0, price - (n + 1) * step), LEVEL_QUANTITY, 1) for n in range(DEPTH)]
    return bids, [Level(price + (n + 1) * step, LEVEL_QUANTITY, 1) for n in range(DEPTH)]
