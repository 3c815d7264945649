"""Trading days in IST: which days trade, why the others do not, and which are confirmed for live trading."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from enum import StrEnum

from trading.market.sessions.data import COVERED, HOLIDAYS, SPECIAL, UNCONFIRMED

IST = timezone(timedelta(hours=5, minutes=30), "IST")
IST_SECONDS = 19_800
DAY_SECONDS = 86_400
EPOCH = date(1970, 1, 1).toordinal()
COVERED_EXCHANGES = ("NSE", "BSE", "NFO", "BFO")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ONE_DAY = timedelta(days=1)
_SATURDAY = 5


class DayKind(StrEnum):
    """Why a day trades or does not."""

    REGULAR = "regular"
    SPECIAL = "special"
    HOLIDAY = "holiday"
    WEEKEND = "weekend"


def trading_day(epoch_seconds: int) -> date:
    """The IST date of a moment."""
    return date.fromordinal(EPOCH + (epoch_seconds + IST_SECONDS) // DAY_SECONDS)


def session_start(day: date) -> int:
    """Epoch second of 09:15 IST."""
    return int(datetime.combine(day, time(9, 15), IST).timestamp())


def day_kind(day: date) -> tuple[DayKind, str]:
    """Whether and why a day trades, with the name of the holiday or special session, or of the weekday."""
    text = day.isoformat()
    if text in SPECIAL:
        return DayKind.SPECIAL, SPECIAL[text][0]
    if text in HOLIDAYS:
        return DayKind.HOLIDAY, HOLIDAYS[text]
    kind = DayKind.WEEKEND if day.weekday() >= _SATURDAY else DayKind.REGULAR
    return kind, WEEKDAYS[day.weekday()]


def is_trading_day(day: date) -> bool:
    """True when there is continuous trading, also for an hour. Weekdays beyond the dated data trade."""
    return day_kind(day)[0] in (DayKind.REGULAR, DayKind.SPECIAL)


def next_trading_day(day: date) -> date:
    """The first trading day after `day`."""
    return _search(day + _ONE_DAY, _ONE_DAY)


def previous_trading_day(day: date) -> date:
    """The last trading day before `day`."""
    return _search(day - _ONE_DAY, -_ONE_DAY)


def _search(day: date, step: timedelta) -> date:
    while not is_trading_day(day):
        day += step
    return day


def regular_day_from(day: date) -> date:
    """`day`, or the first one after it, that trades from 09:15 to the ordinary close of its date."""
    while not is_trading_day(day) or special_periods(day):
        day += _ONE_DAY
    return day


def special_periods(day: date) -> tuple[tuple[str, str], ...]:
    """Continuous periods, `HH:MM`, of a day with hours of its own; empty for all others."""
    return SPECIAL[day.isoformat()][1] if day.isoformat() in SPECIAL else ()


def is_covered(day: date) -> bool:
    """True when the dated data confirms the day and its hours; live trading needs it."""
    return _not_confirmed(day) is None


def live_refusal(day: date, exchange: str = "NSE") -> str | None:
    """Why nothing may be traded live on that day, as a sentence; None when it may.

    `preflight` asks for today before it lets a live broker start, and the dispatcher asks again before each call. It
    says nothing of holidays: a confirmed holiday is a day without phases.
    """
    if exchange not in COVERED_EXCHANGES:
        return f"The calendar knows no sessions of {exchange}: no live trading there"
    reason = _not_confirmed(day)
    if reason is None:
        return None
    return f"{day} is not confirmed for live trading: {reason}. Check the exchange's circulars and config/calendar"


def _not_confirmed(day: date) -> str | None:
    text = day.isoformat()
    if not COVERED[0] <= text <= COVERED[1]:
        return f"The calendar covers {COVERED[0]} to {COVERED[1]}"
    return next((reason for first, last, reason in UNCONFIRMED if first <= text <= last), None)
