"""Last prices and the market's clock, read from `market.marks`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from faust_app.runtime.broadcast import BroadcastReader
from faust_app.runtime.settings import Settings
from faust_app.runtime.topics import Topic, Topics
from models.messages.envelope import Envelope
from models.messages.market import Mark, Marks
from models.messages.ticks import to_rupees
from trading.accounting.day import DayEnd
from trading.market.instruments import InstrumentRegistry
from trading.market.sessions import trading_day

TAIL = 2_000


class PriceByKey(Mapping[str, Decimal]):
    """Prices of marks by instrument key (`NSE:INFY`), in rupees, for the instruments the view knows."""

    def __init__(self, view: MarketView, marks: Mapping[int, Mark]) -> None:
        self._view = view
        self._marks = marks

    def __getitem__(self, key: str) -> Decimal:
        instrument = self._view.registry.by_key(key)
        mark = None if instrument is None else self._marks.get(instrument.instrument_token)
        if mark is None:
            raise KeyError(key)
        return to_rupees(mark.last_price_units)

    def __iter__(self) -> Iterator[str]:
        keys = (self._view.registry.by_token(token) for token in self._marks)
        return (instrument.key for instrument in keys if instrument is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class MarketView:
    """What the market looks like now, for collars, marks and clocks. Never for a decision that ticks must make."""

    def __init__(self, settings: Settings, registry: InstrumentRegistry) -> None:
        self.registry = registry
        self.clock = 0
        self.run_id = ""
        self.marks: dict[int, Mark] = {}
        self.prices: Mapping[str, Decimal] = PriceByKey(self, self.marks)
        self._day_end: DayEnd | None = None
        self._listeners: list[Callable[[Marks], None]] = []
        topic = Topics(settings).name(Topic.MARKET_MARKS)
        self.reader = BroadcastReader(settings.kafka, topic, self._on_event, tail=TAIL)

    def on_marks(self, listener: Callable[[Marks], None]) -> None:
        """Call `listener` after each message of marks."""
        self._listeners.append(listener)

    def price(self, key: str) -> Decimal | None:
        """Last price of an instrument in rupees, None when it never had one."""
        return self.prices.get(key)

    def end_before(self, day: date) -> DayEnd | None:
        """How the last day before `day` ended, as far as marks have told: also when `day` itself has no mark yet."""
        last = trading_day(self.clock)
        return DayEnd(last, self.prices) if self.run_id and last < day else self._day_end

    def _on_event(self, envelope: Envelope[Any]) -> None:
        if isinstance(envelope.data, Marks):
            self.apply(envelope.data)

    def apply(self, marks: Marks) -> None:
        """Take over a message of marks."""
        self._end_day(marks)
        self.clock = marks.clock if marks.run_id != self.run_id else max(self.clock, marks.clock)
        self.run_id = marks.run_id
        self.marks.update((mark.instrument_token, mark) for mark in marks.marks)
        for listener in self._listeners:
            listener(marks)

    def _end_day(self, marks: Marks) -> None:
        """Note the prices of a day that is over, also when another run goes on; forget them when one goes back."""
        day, last = trading_day(marks.clock), trading_day(self.clock)
        if self.run_id and day > last:
            self._day_end = DayEnd(last, PriceByKey(self, dict(self.marks)))
        elif marks.run_id != self.run_id and day < last:
            self._day_end = None
