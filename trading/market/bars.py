"""Bars of 1 to 60 minutes from snapshot ticks, as Kite draws them.

Packets are snapshots on change, not trades (Kite forum 1324, 2088; kite.trade/forum 3931 for the cached first packet):

- A bar's volume is the rise of the day's cumulative volume. A figure that falls while time goes on is a bad packet,
  counted and ignored; the second in a row is believed. A new day begins at 0.
- What the day's high or low moved between two packets was traded between them: it counts into the bar of the second.
  The first bar of a session has the day's own open: the price of the pre-open auction.
- A packet older than the instrument's last one widens the bar it belongs to when that is still open, and is counted.
- A bar belongs to the session's minutes, counted from its open, and closes when a packet or the market's clock has
  passed its end; by the clock `GRACE_SECONDS` later, for packets that are still on their way.
- A minute without a trade has no bar, or with `fill` a flat one. A bar that was not watched from its start is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from models.messages.ticks import Tick
from trading.market.sessions import DAY_SECONDS, IST_SECONDS
from trading.market.ticks_from_bars import Bar

GRACE_SECONDS = 1
MOST_DISORDER = 60  # a clock that goes back further is another run of the market
NEVER = 2**62
UNKNOWN = -1

Periods = Sequence[tuple[int, int]]  # first and past-the-end epoch second of continuous trading, in order
Hours = Callable[[int, int], Periods]  # (instrument token, epoch second) -> the periods of that day
Closed = tuple[int, Bar]  # an instrument's token and its bar


class Watched(msgspec.Struct, array_like=True):
    """One instrument. A bar is in the making while `end` is not 0; prices in 1/10,000 rupee, times in epoch seconds.

    `sequence` and `close_units` are the last packet's number and price; `next_start` is where the next flat bar would
    begin.
    """

    sequence: int = 0
    at: int = 0
    day_opens: int = 0
    opens: int = 0
    closes: int = 0
    start: int = 0
    end: int = 0
    open_units: int = 0
    high_units: int = 0
    low_units: int = 0
    close_units: int = 0
    volume: int = 0  # the day's, so far
    volume_before: int = 0  # the day's, when the bar began
    day_high_units: int = 0
    day_low_units: int = 0
    doubtful: tuple[int, int] = (0, 0)  # number and volume of a packet that was not believed
    next_start: int = 0
    is_whole: bool = True


class Counts(msgspec.Struct):
    """What was refused: `late` packets, `bad` packets whose volume fell, `partial` bars."""

    late: int = 0
    bad: int = 0
    partial: int = 0


class BarState(msgspec.Struct):
    """Everything that changes. `since` is the first second of the market's day the builder has seen."""

    watched: dict[int, Watched] = {}
    clock: int = 0
    since: int = 0
    day: int = 0
    due: int = NEVER  # no bar ends before
    counts: Counts = msgspec.field(default_factory=Counts)


class BarBuilder:
    """Bars of `minutes` for any number of instruments. Deterministic; O(1) a tick, and a second for the clock."""

    def __init__(self, minutes: int, hours: Hours, *, fill: bool = False) -> None:
        self._seconds = minutes * 60
        self._hours = hours
        self._fill = fill
        self.state = BarState()

    def on_clock(self, clock: int) -> Sequence[Closed]:
        """The bars that end with the market's clock at `clock`, in the order the instruments were first seen."""
        state = self.state
        if clock <= state.clock:
            if clock < state.clock - MOST_DISORDER:
                self.state = BarState(clock=clock, since=clock, day=_day(clock))
            return ()
        state.clock = clock
        day = _day(clock)
        if day != state.day:
            state.day, state.since = day, clock
        return self._close_until(clock - GRACE_SECONDS) if clock - GRACE_SECONDS >= state.due else ()

    def on_tick(self, tick: Tick, clock: int) -> Sequence[Closed]:
        """Take one packet; the bars that it, or the clock, ends."""
        state = self.state
        closed = self.on_clock(clock) if clock != state.clock else ()
        own = state.watched.get(tick.instrument_token)
        at = tick.exchange_time or clock
        volume = tick.volume
        if own is None or not own.at <= at < own.end or volume < own.volume:
            return (*closed, *self._take(tick, at))
        price = tick.last_price_units
        own.sequence = tick.sequence
        own.at = at
        own.volume = volume
        own.close_units = price
        if price > own.high_units:
            own.high_units = price
        elif price < own.low_units:
            own.low_units = price
        if tick.high_units > own.day_high_units or 0 < tick.low_units < own.day_low_units:
            _widen(own, tick)
        return closed

    def _take(self, tick: Tick, at: int) -> Sequence[Closed]:
        """Any packet but a further one of the bar in the making."""
        own = self.state.watched.setdefault(tick.instrument_token, Watched())
        own.sequence = tick.sequence
        if at < max(own.at, own.next_start):
            return self._widen_late(own, tick, at)
        closed = self._close(tick.instrument_token, own, at)
        if at >= own.closes:
            self._begin_period(own, tick.instrument_token, at)
        is_later, own.at = at > own.at, at
        if not own.opens <= at < own.closes:
            return closed
        if 0 <= tick.volume < own.volume and not self._believes(own, tick, is_later=is_later):
            return closed
        start = at - (at - own.opens) % self._seconds
        if own.volume == UNKNOWN:
            traded = self._begin_with(own, tick, start)
        else:
            traded = tick.volume > own.volume or tick.last_price_units != own.close_units
        if traded or tick.last_trade_time >= start or not tick.tradable:
            self._add(own, tick, start)
        self.state.due = min(self.state.due, self._next_end(own))
        return closed

    def _widen_late(self, own: Watched, tick: Tick, at: int) -> Sequence[Closed]:
        self.state.counts.late += 1
        if own.start <= at < own.end:
            own.high_units = max(own.high_units, tick.last_price_units)
            own.low_units = min(own.low_units, tick.last_price_units)
        return ()

    def _begin_period(self, own: Watched, token: int, at: int) -> None:
        """Find the trading hours at `at`, or the day's next; forget the figures of another day."""
        periods = self._hours(token, at)
        day_opens = periods[0][0] if periods else 0
        if day_opens != own.day_opens:
            own.day_opens, own.volume, own.next_start = day_opens, UNKNOWN, 0
        own.opens, own.closes = next((one for one in periods if at < one[1]), (0, 0))

    def _believes(self, own: Watched, tick: Tick, *, is_later: bool) -> bool:
        """Judge a volume below the day's so far: of the same second it is late, else it is bad unless it repeats."""
        if not is_later:
            self._widen_late(own, tick, own.at)
            return False
        self.state.counts.bad += 1
        number, volume = own.doubtful
        own.doubtful = tick.sequence, tick.volume
        if tick.sequence != number + 1 or tick.volume < volume:
            return False
        own.volume = tick.volume
        own.volume_before = min(own.volume_before, tick.volume)
        return True

    def _begin_with(self, own: Watched, tick: Tick, start: int) -> bool:
        """The day's first packet: what is known of the trades before it. True when it shows one of this bar."""
        midnight = own.at - (own.at + IST_SECONDS) % DAY_SECONDS
        if 0 < tick.last_trade_time < midnight:
            return False  # yesterday's figures
        own.close_units = tick.last_price_units
        own.day_high_units, own.day_low_units = 0, NEVER
        if self.state.since <= own.day_opens or start == own.day_opens:
            own.volume = 0
            return tick.volume > 0
        own.volume = tick.volume - (min(tick.last_quantity, tick.volume) if tick.last_trade_time >= start else 0)
        own.day_high_units, own.day_low_units = tick.high_units, tick.low_units or NEVER
        return False

    def _add(self, own: Watched, tick: Tick, start: int) -> None:
        """Put a trade into the bar that begins at `start`."""
        price = tick.last_price_units
        if not own.end:
            is_first = own.day_low_units == NEVER
            own.start, own.end = start, min(start + self._seconds, own.closes)
            own.open_units = (tick.open_units or price) if is_first else price
            own.high_units = own.low_units = price
            own.volume_before = own.volume
            own.is_whole = start >= self.state.since or start == own.day_opens
        own.high_units = max(own.high_units, price)
        own.low_units = min(own.low_units, price)
        own.close_units, own.volume = price, tick.volume
        _widen(own, tick)

    def _close_until(self, until: int) -> list[Closed]:
        """All bars that end by `until`."""
        closed: list[Closed] = []
        for token, own in self.state.watched.items():
            if self._next_end(own) <= until:
                closed += self._close(token, own, until)
        self.state.due = min(map(self._next_end, self.state.watched.values()), default=NEVER)
        return closed

    def _close(self, token: int, own: Watched, until: int) -> list[Closed]:
        """The instrument's bars that end by `until`: the one in the making, then, with `fill`, flat ones."""
        closed = []
        if 0 < own.end <= until:
            if own.is_whole:
                closed.append((token, _bar(own)))
            else:
                self.state.counts.partial += 1
            own.next_start, own.end = own.end, 0
        while self._fill and self._next_end(own) <= until:
            price, start = own.close_units, own.next_start
            closed.append((token, Bar(start, price, price, price, price, 0)))
            own.next_start = self._next_end(own)
        return closed

    def _next_end(self, own: Watched) -> int:
        """When the bar in the making, or the flat one that is due, ends."""
        if own.end:
            return own.end
        if self._fill and 0 < own.next_start < own.closes:
            return min(own.next_start + self._seconds, own.closes)
        return NEVER


def _day(clock: int) -> int:
    return (clock + IST_SECONDS) // DAY_SECONDS


def _widen(own: Watched, tick: Tick) -> None:
    """What the day's high and low moved since the last packet counts into the bar."""
    if tick.high_units > own.day_high_units:
        own.day_high_units = tick.high_units
        own.high_units = max(own.high_units, tick.high_units)
    if 0 < tick.low_units < own.day_low_units:
        own.day_low_units = tick.low_units
        own.low_units = min(own.low_units, tick.low_units)


def _bar(own: Watched) -> Bar:
    volume = own.volume - own.volume_before
    return Bar(own.start, own.open_units, own.high_units, own.low_units, own.close_units, volume)
