"""A recording as a market: its days, its instruments, and what each second of a day brought."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Protocol

import msgspec

from models.messages.ticks import Mode, Tick, to_units
from recordings.bars import BarFile, read_bars
from recordings.errors import BadRecording
from recordings.files import files_of
from recordings.listing import equity, index
from recordings.prices import Price, is_prices, read_prices
from recordings.store import TickStore
from trading.market.instruments import Instrument
from trading.market.sessions import continuous_hours
from trading.market.ticks_from_bars import Bar, DayState, ticks_from_bar

INDEX_NAME = "NIFTY 50"
RECORDED_TICK_SIZE = Decimal("0.05")  # of NSE equities before 2025
Second = tuple[int, list[Tick]]  # event second, what it brought in order
Periods = Sequence[tuple[int, int]]  # first and past-the-end epoch second of continuous trading


class RecordedMarket(Protocol):
    """What was recorded. The same recording gives the same seconds."""

    @property
    def days(self) -> Sequence[date]:
        """The recorded days, in order."""

    @property
    def instruments(self) -> Sequence[Instrument]:
        """Everything that was recorded."""

    def seconds(self, day: date) -> Iterator[Second]:
        """The seconds of a day that brought anything, in order."""


class BarMarket:
    """Bars become ticks and books. Within a second, instruments come in the order of the list."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = [read_bars(file) for file in files]
        symbols = [one.symbol for one in self._files]
        for number, symbol in enumerate(symbols):
            if symbol in symbols[:number]:
                raise BadRecording(files[number], 0, f"holds {symbol}, as another file does")
        self.days = sorted({day for one in self._files for day in one.days})
        self.instruments = [self._instrument(one, number) for number, one in enumerate(self._files)]

    def _instrument(self, one: BarFile, number: int) -> Instrument:
        return index(one.symbol, number) if one.is_index else equity(one.symbol, number, RECORDED_TICK_SIZE)

    def bars(self, day: date) -> dict[str, list[Bar]]:
        """The bars of a day by instrument key."""
        found = zip(self.instruments, self._files, strict=True)
        return {instrument.key: one.days[day] for instrument, one in found if day in one.days}

    def seconds(self, day: date) -> Iterator[Second]:
        """As `RecordedMarket.seconds`. One minute of ticks is in memory at a time."""
        starting: defaultdict[int, list[tuple[int, Bar]]] = defaultdict(list)
        for number, one in enumerate(self._files):
            for bar in one.days.get(day, ()):
                starting[bar.start].append((number, bar))
        found = [number for number, one in enumerate(self._files) if day in one.days]
        states = {number: self._state(number, day) for number in found}
        hours = {number: continuous_hours(self.instruments[number], day) for number in found}
        waiting: defaultdict[int, list[Tick]] = defaultdict(list)
        for start in sorted(starting):
            for second in sorted(second for second in waiting if second < start):
                yield second, waiting.pop(second)
            for number, bar in starting[start]:
                length = _length(bar, self._files[number].seconds, hours[number])
                for tick in ticks_from_bar(bar, states[number], length):
                    waiting[tick.exchange_time].append(tick)
        yield from sorted(waiting.items())

    def _state(self, number: int, day: date) -> DayState:
        one, instrument = self._files[number], self.instruments[number]
        before = [earlier for earlier in one.days if earlier < day]
        close = one.days[before[-1]][-1].close_units if before else one.days[day][0].open_units
        return DayState(
            instrument_token=instrument.instrument_token,
            tick_units=to_units(instrument.tick_size),
            tradable=instrument.is_tradable,
            previous_close_units=close,
        )


def _length(bar: Bar, seconds: int, hours: Periods) -> int:
    """Seconds of a bar; the day's last may be cut short by the close."""
    return min([seconds, *(end - bar.start for first, end in hours if first <= bar.start < end)])


class PriceMarket:
    """An index, one price a second."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._days: dict[date, list[Price]] = {}
        for file in files:
            for day, prices in read_prices(file).items():
                if day in self._days:
                    raise BadRecording(file, 0, f"holds prices of {day}, as another file does")
                self._days[day] = prices
        self.days = sorted(self._days)
        self.instruments = [index(INDEX_NAME, 0)]

    def seconds(self, day: date) -> Iterator[Second]:
        """As `RecordedMarket.seconds`."""
        prices = self._days[day]
        before = [earlier for earlier in self.days if earlier < day]
        close = self._days[before[-1]][-1][1] if before else prices[0][1]
        state = DayState(self.instruments[0].instrument_token, 0, tradable=False, previous_close_units=close)
        for at, price in prices:
            yield at, [_index_tick(state, price, at)]


def _index_tick(day: DayState, price: int, at: int) -> Tick:
    day.sequence += 1
    day.open_units = day.open_units or price
    day.high_units = max(day.high_units, price)
    day.low_units = min(day.low_units or price, price)
    return Tick(
        day.instrument_token, day.sequence, Mode.FULL, False, price,
        open_units=day.open_units, high_units=day.high_units, low_units=day.low_units,
        close_units=day.previous_close_units, exchange_time=at,
    )  # fmt: skip


class TickMarket:
    """Ticks as the recorder saw them."""

    def __init__(self, folder: Path) -> None:
        self._store = TickStore(folder)
        self.days = self._store.days()
        recorded = self._store.tokens()
        self.instruments = [one for one in self._store.read_instruments() if one.instrument_token in recorded]

    def seconds(self, day: date) -> Iterator[Second]:
        """As `RecordedMarket.seconds`: the feed's clock, not the ticks' own times.

        Where the recorder or the feed was restarted, the clock may go back a little: it stands still then.
        """
        known = {one.instrument_token for one in self.instruments}
        count = Recount()
        for clock, group in groupby(_forward(self._store.read(day)), key=itemgetter(0)):
            yield clock, [count(tick) for _, tick in group if tick.instrument_token in known]


def _forward(rows: Iterable[tuple[int, str, Tick]]) -> Iterator[tuple[int, Tick]]:
    latest = 0
    for clock, _, tick in rows:
        latest = max(latest, clock)
        yield latest, tick


class Recount:
    """Counts an instrument's ticks on when the feed was restarted within the day and began at 1 again."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._before: dict[int, int] = {}

    def __call__(self, tick: Tick) -> Tick:
        """The tick, with a number above that of the last one."""
        token = tick.instrument_token
        number = tick.sequence + self._before.get(token, 0)
        if number <= self._last.get(token, 0):
            self._before[token] = self._last[token]
            number = tick.sequence + self._last[token]
        self._last[token] = number
        return tick if number == tick.sequence else msgspec.structs.replace(tick, sequence=number)


def check_path(path: Path) -> None:
    """Raise BadRecording when there is no recording at a path."""
    if not (path.is_dir() and TickStore(path).days()):
        files_of(path)


def open_market(path: Path, most: int | None = None) -> RecordedMarket:
    """The recording at a path, of at most `most` symbols. Raises BadRecording."""
    if path.is_dir() and TickStore(path).days():
        return TickMarket(path)
    files = files_of(path)
    return PriceMarket(files) if is_prices(files[0]) else BarMarket(files[:most])
