"""A recorded market: bars and prices of one day become the ticks of that day, each exactly once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

from models.messages.ticks import Mode, Tick, to_units
from sandbox.listing import equity, index
from sandbox.market import Batch
from sandbox.recordings import Recording, read
from trading.market.instruments import Instrument
from trading.market.sessions import session_start
from trading.market.ticks_from_bars import DayState, ticks_from_bar

RECORDED_TICK_SIZE = Decimal("0.05")  # of NSE equities before 2024


class ReplayMarket:
    """Plays recordings at `path`. No tick is lost: a slow client slows the market down."""

    waits_for_clients = True

    def __init__(self, path: Path, *, day: date | None, most_symbols: int | None) -> None:
        self.day, self._recordings = read(path, day, most_symbols)
        numbered = enumerate(self._recordings)
        self.instruments = [self._instrument(recording, number) for number, recording in numbered]
        self.session_start = min(session_start(self.day), *(self._first(one) for one in self._recordings))

    def _instrument(self, recording: Recording, number: int) -> Instrument:
        if recording.is_index:
            return index(recording.symbol, number)
        return equity(recording.symbol, number, RECORDED_TICK_SIZE)

    def _first(self, recording: Recording) -> int:
        return recording.bars[0].start if recording.bars else recording.prices[0][0]

    def batches(self) -> Iterator[Batch]:
        """One batch a second in which anything happened; instruments in the order of the list."""
        for minute in self._minutes():
            for second in sorted(minute):
                yield Batch(float(second), minute[second])

    def _minutes(self) -> Iterator[dict[int, list[Tick]]]:
        """Ticks by second, one minute at a time; within a second in the order of the instruments."""
        by_minute: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for number, recording in enumerate(self._recordings):
            for position, bar in enumerate(recording.bars):
                by_minute[bar.start // 60].append((number, position))
            for position, (at, _) in enumerate(recording.prices):
                by_minute[at // 60].append((number, position))
        days = [self._day_state(number) for number in range(len(self._recordings))]
        for minute in sorted(by_minute):
            yield self._ticks(by_minute[minute], days)

    def _day_state(self, number: int) -> DayState:
        recording, instrument = self._recordings[number], self.instruments[number]
        first = recording.bars[0].open_units if recording.bars else recording.prices[0][1]
        return DayState(
            instrument_token=instrument.instrument_token,
            tick_units=to_units(instrument.tick_size),
            tradable=instrument.is_tradable,
            previous_close_units=recording.previous_close_units or first,
        )

    def _ticks(self, parts: list[tuple[int, int]], days: list[DayState]) -> dict[int, list[Tick]]:
        found: dict[int, list[Tick]] = defaultdict(list)
        for number, position in parts:
            recording = self._recordings[number]
            if recording.bars:
                for tick in ticks_from_bar(recording.bars[position], days[number]):
                    found[tick.exchange_time].append(tick)
            else:
                at, price = recording.prices[position]
                found[at].append(_index_tick(days[number], price, at))
        return found


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
