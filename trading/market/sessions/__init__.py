"""Trading days and phases as dated data in IST, with integer arithmetic: the process time zone does not matter.

Sources: `config/calendar`, from which `tools/generate_calendar.py` writes `data.py`, and docs/adr/0006. A day beyond
the data trades regular hours on weekdays in paper and replay, and `live_refusal` refuses it for live. Times are epoch
seconds, days are IST dates; nothing here raises for a day between the years 2 and 9998.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date

from trading.market.instruments import Instrument
from trading.market.phases import Market, Phase, Stage
from trading.market.sessions.days import (
    DAY_SECONDS,
    EPOCH,
    IST,
    IST_SECONDS,
    WEEKDAYS,
    DayKind,
    day_kind,
    is_covered,
    is_trading_day,
    live_refusal,
    next_trading_day,
    previous_trading_day,
    regular_day_from,
    session_start,
    trading_day,
)
from trading.market.sessions.schedule import (
    Interval,
    Schedule,
    market_of,
    market_of_segment,
    market_schedule,
    notes_on,
    schedule_of,
    square_off_second,
)

__all__ = [
    "DAY_SECONDS",
    "IST",
    "IST_SECONDS",
    "WEEKDAYS",
    "DayKind",
    "Interval",
    "Market",
    "Phase",
    "Schedule",
    "Stage",
    "continuous_hours",
    "day_kind",
    "intervals",
    "is_covered",
    "is_open",
    "is_trading_day",
    "live_refusal",
    "market_intervals",
    "market_of",
    "next_close",
    "next_open",
    "next_trading_day",
    "notes_on",
    "phase",
    "phase_at",
    "previous_trading_day",
    "regular_day_from",
    "session_start",
    "square_off",
    "square_off_second",
    "stage",
    "trading_day",
]


def phase(instrument: Instrument | None, epoch_seconds: int) -> Phase:
    """The phase of an instrument at a moment; None is judged as a stock without derivatives."""
    number, second = divmod(epoch_seconds + IST_SECONDS, DAY_SECONDS)
    day = schedule_of(instrument, number)
    return day.phases[bisect_right(day.starts, second) - 1]


def stage(instrument: Instrument | None, epoch_seconds: int) -> Stage:
    """What may be entered at a moment: the part of an auction, for example."""
    number, second = divmod(epoch_seconds + IST_SECONDS, DAY_SECONDS)
    day = schedule_of(instrument, number)
    return day.stages[bisect_right(day.starts, second) - 1]


def phase_at(segment: str, epoch_seconds: int) -> Phase:
    """The phase where a segment (`NSE`, `NFO`) is meant and no instrument: stocks without derivatives, options."""
    number, second = divmod(epoch_seconds + IST_SECONDS, DAY_SECONDS)
    day = market_schedule(market_of_segment(segment), number)
    return day.phases[bisect_right(day.starts, second) - 1]


def is_open(instrument: Instrument | None, epoch_seconds: int) -> bool:
    """True while an instrument trades continuously."""
    return phase(instrument, epoch_seconds) is Phase.CONTINUOUS


def next_open(instrument: Instrument | None, epoch_seconds: int) -> int:
    """The first second after this one at which continuous trading begins; expiry of the instrument is not looked at."""
    number, second = divmod(epoch_seconds + IST_SECONDS, DAY_SECONDS)
    while not (later := [at for at in schedule_of(instrument, number).opens if at > second]):
        number, second = number + 1, -1
    return number * DAY_SECONDS + later[0] - IST_SECONDS


def next_close(instrument: Instrument | None, epoch_seconds: int) -> int:
    """The first second after this one at which continuous trading ends, for the day or for an auction."""
    number, second = divmod(epoch_seconds + IST_SECONDS, DAY_SECONDS)
    while not (later := [at for at in schedule_of(instrument, number).closes if at > second]):
        number, second = number + 1, -1
    return number * DAY_SECONDS + later[0] - IST_SECONDS


def intervals(instrument: Instrument | None, day: date) -> tuple[Interval, ...]:
    """The phases of an instrument's day from midnight to midnight."""
    return schedule_of(instrument, day.toordinal() - EPOCH).intervals()


def continuous_hours(instrument: Instrument | None, day: date) -> tuple[tuple[int, int], ...]:
    """(first, past-the-end) epoch second of each period of continuous trading on a day."""
    midnight = (day.toordinal() - EPOCH) * DAY_SECONDS - IST_SECONDS
    found = schedule_of(instrument, day.toordinal() - EPOCH)
    return tuple((midnight + first, midnight + end) for first, end in zip(found.opens, found.closes, strict=True))


def market_intervals(market: Market, day: date) -> tuple[Interval, ...]:
    """The phases of a market's day from midnight to midnight."""
    return market_schedule(market, day.toordinal() - EPOCH).intervals()


def square_off(instrument: Instrument | None, day: date) -> int | None:
    """Epoch second by which an intraday (MIS) position must be flat; None on a day without trading."""
    market = Market.CASH if instrument is None else market_of(instrument, day)
    second = square_off_second(market, day)
    return None if second is None else (day.toordinal() - EPOCH) * DAY_SECONDS + second - IST_SECONDS
