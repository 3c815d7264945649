"""A simulated broker in one object: the order desk and the paper exchange, for a backtest.

What the trading engine does with messages and tables happens here at once and in memory, with the same desk, the same
state machine and the same exchange.
"""

from __future__ import annotations

from collections.abc import Callable

from models.messages.orders import (
    CancelSubmitted,
    OrderAcknowledged,
    OrderFailed,
    OrderFilled,
    OrderUpdate,
    PlannedOrder,
)
from models.messages.ticks import Tick
from trading.market.sessions import Phase, session_start, trading_day
from trading.matching.exchange import Find, PaperExchange
from trading.matching.phases import Moment
from trading.matching.rules import MatchingRules
from trading.orders.brackets import Glance
from trading.orders.desk import Change, OrderDesk, Release, Send
from trading.orders.state import Alarm, OrderRecord, fold

Event = OrderAcknowledged | OrderFilled | OrderFailed | Alarm
MomentAt = Callable[[int, int], Moment]  # token, event second


class SimulatedBroker:
    """Orders in, events out. `moment_at` says what an instrument's market does at a second."""

    def __init__(self, rules: MatchingRules, moment_at: MomentAt, find: Find = lambda _: None) -> None:
        self.records: dict[str, OrderRecord] = {}
        self.exchange = PaperExchange(rules, find)
        self._desk = OrderDesk()
        self._moment_at = moment_at
        self._clock = 0
        self._run_id = ""
        self._last: dict[int, Tick] = {}  # by token
        self._resting: set[int] = set()

    def submit(self, order: PlannedOrder, refusal: str = "") -> list[Event]:
        """Take an order that risk approved, or deny it at the last moment with a `refusal`. A repeat gives nothing."""
        if order.order_id in self.records:
            return []
        return self._carry_out(self._desk.admit(order, refusal))

    def on_tick(self, tick: Tick, run_id: str) -> list[Event]:
        """Move the clock to the tick's time, when it is later, and match what rests in its instrument."""
        self._run_id = run_id
        events = self.on_clock(tick.exchange_time) if tick.exchange_time > self._clock else []
        token = tick.instrument_token
        if token in self._resting:
            events += self._report(self.exchange.on_tick(tick, self._moment_at(token, self._clock), run_id))
            self._note_resting(token)
        self._last[token] = tick
        return events

    def on_clock(self, clock: int) -> list[Event]:
        """Move the clock: the brackets are looked at, as everything stood before, then what runs out ends."""
        if trading_day(clock) > trading_day(self._clock):
            self._forget_old_days(clock)
        self._clock = clock
        events: list[Event] = []
        for token in self._desk.watched():
            for change in self._desk.look(token, self._glance(token), self.records.get):
                events += self._carry_out(change)
        for token in sorted(self._resting):
            events += self._report(self.exchange.on_clock(token, self._moment_at(token, clock)))
            self._note_resting(token)
        return events

    def _glance(self, token: int) -> Glance:
        last = self._last.get(token)
        return Glance(
            second=self._clock,
            is_continuous=self._moment_at(token, self._clock).phase is Phase.CONTINUOUS,
            price=None if last is None else last.last_price,
            sequence=0 if last is None else last.sequence,
            run_id=self._run_id,
        )

    def _carry_out(self, change: Change) -> list[Event]:
        order = change.record.order
        is_new = order.order_id not in self.records
        self._store(change.record)
        events: list[Event] = []
        for effect in change.effects:
            match effect:
                case Send():
                    events += self.submit(effect.order)
                case Release():
                    events += self._place(change.record)
                case CancelSubmitted():
                    updates = self.exchange.cancel(
                        effect.instrument_token, effect.order_id, sent_at=effect.event_time, clock=self._clock
                    )
                    events += self._report(updates)
                case _:
                    events.append(effect)
        if is_new and change.record.is_open and not change.record.held:
            events += self._place(change.record)
        return events

    def _place(self, record: OrderRecord) -> list[Event]:
        self._resting.add(record.order.instrument_token)
        updates = self.exchange.submit(record.order, not_before=record.not_before, after_sequence=record.after_sequence)
        return self._report(updates)

    def _report(self, updates: list[OrderUpdate]) -> list[Event]:
        events: list[Event] = []
        for update in updates:
            folded = fold(self.records[update.order_id], update)
            self._store(folded.record)
            events += [folded.acknowledged] if folded.acknowledged else []
            events += folded.fills
            events += [folded.failed] if folded.failed else []
            events += folded.alarms
        return events

    def _store(self, record: OrderRecord) -> None:
        self.records[record.order.order_id] = record
        self._desk.note(record)

    def _note_resting(self, token: int) -> None:
        if not self.exchange.books[token].resting:
            self._resting.discard(token)

    def _forget_old_days(self, clock: int) -> None:
        """Drop what has ended on earlier days and no bracket needs, so that memory stays flat."""
        today, needed = session_start(trading_day(clock)), self._desk.needed(clock, self.records.get)
        for order_id, record in list(self.records.items()):
            if not record.is_open and order_id not in needed and trading_day(record.updated_at) < trading_day(clock):
                del self.records[order_id]
                self._desk.forget(record.order)
        for book in self.exchange.books.values():
            book.forget_before(today)
