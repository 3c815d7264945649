"""Minute candles of the ticks played so far, and the longer intervals Kite makes of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from models.messages.ticks import Tick
from sandbox.clock import ist
from trading.market.sessions import DAY_SECONDS, IST_SECONDS

MINUTE = 60
OPENING = 9 * 3600 + 15 * 60  # intervals of a day are counted from 09:15 IST
MINUTES = {
    "minute": 1,
    "3minute": 3,
    "5minute": 5,
    "10minute": 10,
    "15minute": 15,
    "30minute": 30,
    "60minute": 60,
    "day": 24 * 60,
}
WIDTH = 7


@dataclass(frozen=True, slots=True)
class Candle:
    """One interval: `start` in epoch seconds, prices in units."""

    start: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    oi: int


class Candles:
    """Seven integers a minute and instrument, in arrays: a day of thousands of instruments fits into memory."""

    def __init__(self) -> None:
        self._closed: dict[int, array[int]] = {}
        self._open: dict[int, list[int]] = {}  # start, open, high, low, close, volume before, volume, oi

    def note(self, ticks: Iterable[Tick]) -> None:
        """Take ticks in; called for every tick there is."""
        opened = self._open
        for tick in ticks:
            price = tick.last_price_units
            row = opened.get(tick.instrument_token)
            if row is None or tick.exchange_time - row[0] >= MINUTE:
                self._begin(tick, row)
                continue
            if price > row[2]:
                row[2] = price
            elif price < row[3]:
                row[3] = price
            row[4] = price
            row[6] = tick.volume
            row[7] = tick.oi

    def _begin(self, tick: Tick, before: list[int] | None) -> None:
        token, price = tick.instrument_token, tick.last_price_units
        start = tick.exchange_time // MINUTE * MINUTE
        volume_before = 0
        if before is not None:
            self._closed.setdefault(token, array("q")).extend(_row(before))
            volume_before = before[6]
        self._open[token] = [start, price, price, price, price, volume_before, tick.volume, tick.oi]

    def minutes(self, token: int) -> Iterator[Candle]:
        """All minutes in order; the last one may not be complete."""
        rows = self._closed.get(token, array("q"))
        for start in range(0, len(rows), WIDTH):
            yield Candle(*rows[start : start + WIDTH])
        if token in self._open:
            yield Candle(*_row(self._open[token]))

    def intervals(self, token: int, interval: str) -> Iterator[Candle]:
        """Candles of one of `MINUTES`."""
        joined: Candle | None = None
        for one in self.minutes(token):
            start = interval_start(one.start, MINUTES[interval])
            if joined is not None and joined.start == start:
                joined = _join(joined, one)
                continue
            if joined is not None:
                yield joined
            joined = Candle(start, one.open, one.high, one.low, one.close, one.volume, one.oi)
        if joined is not None:
            yield joined


def _row(row: list[int]) -> tuple[int, ...]:
    start, first, high, low, close, before, volume, oi = row
    return start, first, high, low, close, max(0, volume - before), oi


def _join(one: Candle, two: Candle) -> Candle:
    high, low = max(one.high, two.high), min(one.low, two.low)
    return Candle(one.start, one.open, high, low, two.close, one.volume + two.volume, two.oi)


def interval_start(at: int, minutes: int) -> int:
    """The beginning of the interval a moment belongs to."""
    midnight = (at + IST_SECONDS) // DAY_SECONDS * DAY_SECONDS - IST_SECONDS
    if minutes >= MINUTES["day"]:
        return midnight
    length, opening = minutes * MINUTE, midnight + OPENING
    return opening + (at - opening) // length * length


def candle_stamp(at: int) -> str:
    """As historical data writes times: with the offset and no colon in it."""
    return ist(at).strftime("%Y-%m-%dT%H:%M:%S%z")
