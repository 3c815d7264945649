"""The phases of one market's day, put together from the dated parts that are in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import TypeVar

from trading.market.instruments import Instrument
from trading.market.phases import Market, Phase, Row, Stage, parse_row, second_of_day
from trading.market.sessions.data import (
    INDEX_UNDERLYINGS,
    MARKETS,
    MINUTES_BEFORE_LAST_CLOSE,
    NOTES,
    PARTS,
    SQUARE_OFF,
)
from trading.market.sessions.days import DAY_SECONDS, EPOCH, is_trading_day, special_periods

Value = TypeVar("Value")
_MIDNIGHT: Row = (0, Phase.CLOSED, Stage.CLOSED)
_CASH_SEGMENTS = frozenset({"NSE", "BSE"})


@dataclass(frozen=True, slots=True)
class Interval:
    """Seconds of the IST day, `until` excluded."""

    start: int
    until: int
    phase: Phase
    stage: Stage


@dataclass(frozen=True, slots=True)
class Schedule:
    """One market's day, which begins at `starts[0] == 0`; `opens` and `closes` are those of continuous trading."""

    starts: tuple[int, ...]
    phases: tuple[Phase, ...]
    stages: tuple[Stage, ...]
    opens: tuple[int, ...]
    closes: tuple[int, ...]

    def intervals(self) -> tuple[Interval, ...]:
        """The whole day, without gaps."""
        ends = (*self.starts[1:], DAY_SECONDS)
        return tuple(map(Interval, self.starts, ends, self.phases, self.stages))


def schedule_of(instrument: Instrument | None, day_number: int) -> Schedule:
    """The day's phases for an instrument; days count from 1970-01-01 in IST.

    None is judged as a stock without derivatives.
    """
    if instrument is None:
        return market_schedule(Market.CASH, day_number)
    return _schedule_of(
        instrument.segment, instrument.has_derivatives, _is_expiring_index(instrument, day_number), day_number
    )


@lru_cache(maxsize=512)
def _schedule_of(segment: str, has_derivatives: bool, is_expiring_index: bool, day_number: int) -> Schedule:
    return market_schedule(market_of_segment(segment, has_derivatives, is_expiring_index), day_number)


def market_of(instrument: Instrument, day: date) -> Market:
    """The market whose phases an instrument has on that day."""
    is_expiring_index = _is_expiring_index(instrument, day.toordinal() - EPOCH)
    return market_of_segment(instrument.segment, instrument.has_derivatives, is_expiring_index)


def market_of_segment(segment: str, has_derivatives: bool = False, is_expiring_index: bool = False) -> Market:
    """The market of a dump's segment (`NSE`, `NFO-FUT`); segments the calendar does not know are like cash."""
    if segment.startswith(("NFO", "BFO")):
        if segment.endswith("FUT"):
            return Market.EXPIRING_INDEX_FUTURES if is_expiring_index else Market.FUTURES
        return Market.EXPIRING_INDEX_OPTIONS if is_expiring_index else Market.OPTIONS
    return Market.CASH_WITH_DERIVATIVES if has_derivatives and segment in _CASH_SEGMENTS else Market.CASH


def _is_expiring_index(instrument: Instrument, day_number: int) -> bool:
    expiry = instrument.expiry
    if expiry is None or expiry.toordinal() - EPOCH != day_number:
        return False
    return instrument.name in INDEX_UNDERLYINGS


@lru_cache(maxsize=512)
def market_schedule(market: Market, day_number: int) -> Schedule:
    """The day's phases in a market."""
    rows = _rows(market, date.fromordinal(EPOCH + day_number))
    starts, phases, stages = zip(*rows, strict=True)
    changes = [
        (start, phase is Phase.CONTINUOUS)
        for (_, before, _), (start, phase, _) in pairwise(rows)
        if (before is Phase.CONTINUOUS) is not (phase is Phase.CONTINUOUS)
    ]
    opens = tuple(start for start, is_open in changes if is_open)
    closes = tuple(start for start, is_open in changes if not is_open)
    return Schedule(starts, phases, stages, opens, closes)


def _rows(market: Market, day: date) -> list[Row]:
    if not is_trading_day(day):
        return [_MIDNIGHT]
    periods = special_periods(day)
    if periods:
        return [_MIDNIGHT, *(row for begin, end in periods for row in _period(begin, end))]
    texts = [text for part in MARKETS[market] for text in _in_force(PARTS[part], day)]
    return [_MIDNIGHT, *map(parse_row, texts)]


def _period(begin: str, end: str) -> tuple[Row, Row]:
    trading = (second_of_day(begin), Phase.CONTINUOUS, Stage.CONTINUOUS)
    return trading, (second_of_day(end), Phase.CLOSED, Stage.CLOSED)


def _in_force(dated: Sequence[tuple[str, Value]], day: date) -> Value:
    """The last value whose date is not after `day`; before the first date, the first."""
    text = day.isoformat()
    return [value for begin, value in dated if begin <= text or begin == dated[0][0]][-1]


def square_off_second(market: Market, day: date) -> int | None:
    """Second of the IST day by which intraday positions must be flat; None when the day does not trade."""
    if not is_trading_day(day):
        return None
    if special_periods(day):
        return market_schedule(market, day.toordinal() - EPOCH).closes[-1] - MINUTES_BEFORE_LAST_CLOSE * 60
    return second_of_day(_in_force(SQUARE_OFF[_square_off_group(market)], day))


def _square_off_group(market: Market) -> str:
    return "derivatives" if market.is_derivatives else market.value


def notes_on(market: Market, day: date) -> list[str]:
    """What is not known or not modelled about a market's day."""
    if special_periods(day):
        return ["Pre-open, closing auction and post-close of a day with hours of its own are not recorded"]
    owners, text = (*MARKETS[market], f"square_off {_square_off_group(market)}"), day.isoformat()
    return [note for owner, first, last, note in NOTES if owner in owners and first <= text <= last]
