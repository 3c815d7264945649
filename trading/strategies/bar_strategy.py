"""Strategies that look at bars."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from pydantic import Field

from models.messages.ticks import Tick
from trading.market.bars import BarBuilder, BarState, Closed, Periods
from trading.market.instruments import Instrument
from trading.market.sessions import continuous_hours, trading_day
from trading.market.ticks_from_bars import Bar
from trading.strategies.base import Parameters, Seen, Strategy, Wish


class BarParameters(Parameters):
    """Base of a bar strategy's parameters: the length of its bars."""

    minutes: int = Field(1, ge=1, le=60)


class BarStrategy(Strategy):
    """Base: `on_bar` sees every bar of every instrument when it closes. `fills` adds flat bars for quiet minutes.

    A day's last bar may only be closed by the next day's clock. What is wished for at it is dropped: it is too late.
    """

    fills: ClassVar[bool] = False

    def __init__(self, parameters: Any, instruments: Mapping[int, Instrument]) -> None:
        super().__init__(parameters, instruments)
        self.bars = BarBuilder(parameters.minutes, self.hours, fill=self.fills)
        self.days: dict[int, int] = {}  # by instrument token, the open of its last bar's day

    @abstractmethod
    def on_bar(self, instrument_token: int, bar: Bar) -> Sequence[Wish]:
        """Answer a bar that has closed; the instrument's state is `own(instrument_token)`."""

    def on_day(self, instrument_token: int, opens: int) -> None:
        """Begin a day that opens at that second, before its first bar: positions of the day before are gone."""

    def on_tick(self, tick: Tick, clock: int) -> Sequence[Wish]:
        """Build bars; answer those the tick closes, after those its clock does."""
        wishes = self.on_clock(clock) if clock != self.bars.state.clock else ()
        closed = self.bars.on_tick(tick, clock)
        return [*wishes, *self._answer(closed)] if closed else wishes

    def on_clock(self, clock: int) -> Sequence[Wish]:
        """Answer the bars that the clock closes."""
        closed = self.bars.on_clock(clock)
        return self._answer(closed) if closed else ()

    def _answer(self, closed: Iterable[Closed]) -> Sequence[Wish]:
        found: list[Wish] = []
        for token, bar in closed:
            opens = self.hours(token, bar.start)[0][0]
            if opens != self.days.get(token):
                self.days[token] = opens
                self.on_day(token, opens)
            wishes = self.on_bar(token, bar)
            if wishes and self.is_current(bar):
                found += wishes
        return found

    def is_current(self, bar: Bar) -> bool:
        """False for a bar of an earlier day than the clock's."""
        return trading_day(bar.start) == trading_day(self.bars.state.clock)

    def hours(self, instrument_token: int, at: int) -> Periods:
        """When the instrument trades continuously on the day of `at`."""
        return continuous_hours(self.instruments.get(instrument_token), trading_day(at))

    def last_seen(self, instrument_token: int) -> Seen | None:
        """The instrument's last tick."""
        watched = self.bars.state.watched.get(instrument_token)
        return None if watched is None else Seen(watched.sequence, watched.close_units)

    def dump_state(self) -> bytes:
        """Everything needed to go on, bars in the making included."""
        return msgspec.msgpack.encode((self.name, (self.state, self.bars.state, self.days)))

    def load_state(self, raw: bytes) -> None:
        """As `Strategy.load_state`."""
        kind = tuple[dict[int, self.state_type], BarState, dict[int, int]]  # type: ignore[name-defined]
        self.state, self.bars.state, self.days = msgspec.msgpack.decode(self.unpack(raw), type=kind)
