"""Trading days and phases, as dated data in IST.

Sources: the exchanges' holiday lists and SEBI's closing-auction circulars, as tabulated in
`docs/adr/0006-dated-sessions.md`. A day outside the covered range trades regular hours on weekdays in paper and
replay, and `is_covered` is False for it, which refuses live trading.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, datetime, time, timedelta, timezone
from enum import StrEnum
from functools import lru_cache

IST = timezone(timedelta(hours=5, minutes=30), "IST")
IST_SECONDS = 19_800
DAY_SECONDS = 86_400
EPOCH = date(1970, 1, 1).toordinal()
COVERED = (date(2026, 1, 1), date(2026, 12, 31))
HOLIDAYS = frozenset(
    date.fromisoformat(f"2026-{day}")
    for day in (
        *("01-15", "01-26", "03-03", "03-26", "03-31", "04-03", "04-14", "05-01"),
        *("05-28", "06-26", "09-14", "10-02", "10-20", "11-10", "11-24", "12-25"),
    )
)


class Phase(StrEnum):
    """What the exchange does at a moment."""

    CLOSED = "closed"
    PRE_OPEN = "pre_open"
    CONTINUOUS = "continuous"
    CLOSING_AUCTION = "closing_auction"
    POST_CLOSE = "post_close"


Boundary = tuple[int, Phase]  # second of the IST day from which the phase holds


def _at(text: str) -> int:
    moment = time.fromisoformat(text)
    return moment.hour * 3600 + moment.minute * 60


def _day(*rows: tuple[str, Phase]) -> tuple[Boundary, ...]:
    return ((0, Phase.CLOSED), *((_at(start), phase) for start, phase in rows))


_CASH = _day(
    ("09:00", Phase.PRE_OPEN),
    ("09:15", Phase.CONTINUOUS),
    ("15:30", Phase.CLOSED),
    ("15:40", Phase.POST_CLOSE),
    ("16:00", Phase.CLOSED),
)
_CASH_LATER = _day(
    ("09:00", Phase.PRE_OPEN),
    ("09:15", Phase.CONTINUOUS),
    ("15:30", Phase.CLOSED),
    ("15:50", Phase.POST_CLOSE),
    ("16:00", Phase.CLOSED),
)
_DERIVATIVES = _day(("09:15", Phase.CONTINUOUS), ("15:30", Phase.CLOSED))
_DERIVATIVES_1540 = _day(("09:15", Phase.CONTINUOUS), ("15:40", Phase.CLOSED))
_DERIVATIVES_1545 = _day(("09:15", Phase.CONTINUOUS), ("15:45", Phase.CLOSED))
CASH_FROM = ((date.min, _CASH), (date(2026, 8, 3), _CASH_LATER))
DERIVATIVES_FROM = (
    (date.min, _DERIVATIVES),
    (date(2026, 8, 3), _DERIVATIVES_1540),
    (date(2026, 12, 7), _DERIVATIVES_1545),
)
SPECIAL = {
    date(2025, 10, 21): _day(("13:45", Phase.CONTINUOUS), ("14:45", Phase.CLOSED)),  # muhurat
    date(2026, 2, 1): _day(("09:15", Phase.CONTINUOUS), ("15:30", Phase.CLOSED)),  # Budget, a Sunday
    date(2026, 11, 8): _day(("18:15", Phase.CONTINUOUS), ("19:15", Phase.CLOSED)),  # muhurat, a Sunday
}
_SHUT: tuple[Boundary, ...] = ((0, Phase.CLOSED),)


def trading_day(epoch_seconds: int) -> date:
    """The IST date of a moment."""
    return date.fromordinal(EPOCH + (epoch_seconds + IST_SECONDS) // DAY_SECONDS)


def is_covered(day: date) -> bool:
    """True when the dated data knows this day; live trading needs it."""
    return COVERED[0] <= day <= COVERED[1]


@lru_cache(maxsize=64)
def boundaries(segment: str, day: date) -> tuple[Boundary, ...]:
    """The day's phases for a segment, as (second of the IST day, phase)."""
    if day in SPECIAL:
        return SPECIAL[day]
    if day.weekday() >= 5 or day in HOLIDAYS:
        return _SHUT
    table = DERIVATIVES_FROM if segment.startswith(("NFO", "BFO")) else CASH_FROM
    return [rows for start, rows in table if start <= day][-1]


@lru_cache(maxsize=64)
def _boundaries_of_day_number(segment: str, number: int) -> tuple[tuple[int, ...], tuple[Phase, ...]]:
    rows = boundaries(segment, date.fromordinal(EPOCH + number))
    return tuple(start for start, _ in rows), tuple(phase for _, phase in rows)


def phase_at(segment: str, epoch_seconds: int) -> Phase:
    """The phase of a segment (`NSE`, `NFO-FUT`) at a moment."""
    number, second = divmod(epoch_seconds + IST_SECONDS, DAY_SECONDS)
    starts, phases = _boundaries_of_day_number(segment, number)
    return phases[bisect_right(starts, second) - 1]


def next_trading_day(day: date) -> date:
    """The first day from `day` on that has a regular session: continuous trading at 09:15."""
    while phase_at("NSE", session_start(day)) is not Phase.CONTINUOUS:
        day += timedelta(days=1)
    return day


def session_start(day: date) -> int:
    """Epoch second of 09:15 IST."""
    return int(datetime.combine(day, time(9, 15), IST).timestamp())
