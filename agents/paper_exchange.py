"""The paper exchange of one broker: orders rest in the `book` table and meet the frames of their partition.

Its reports go to `{b}.orders.updates`, where a real broker's would go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from agents.events import Events
from agents.recent_frames import RecentFrames
from faust_app.runtime.app import Worker
from faust_app.runtime.codec import chained
from faust_app.runtime.consume import Record
from faust_app.runtime.topics import Topic
from models.messages import ids
from models.messages.envelope import Envelope
from models.messages.orders import CancelSubmitted, OrderPushed, OrderSubmitted, OrderUpdate, PlannedOrder
from models.messages.protection import TriggerMessage
from models.messages.ticks import Tick, TickFrame
from tables import book as book_table
from tables.journal import Output
from tables.states import Transaction
from trading.market.instruments import Instrument
from trading.market.sessions import phase, session_start, square_off, stage, trading_day
from trading.matching.book import PaperBook
from trading.matching.exchange import PaperExchange
from trading.matching.phases import Moment, Seen
from trading.matching.rules import MatchingRules
from trading.orders.state import OrderRecord

FindInstrument = Callable[[int], Instrument | None]


class PaperBroker:
    """The exchange's books in the table, recent frames in memory."""

    def __init__(self, worker: Worker, events: Events, find: FindInstrument) -> None:
        self._worker = worker
        self._broker = worker.broker
        self._rules: MatchingRules = worker.settings.paper.rules()
        self._events = events
        self._find = find
        self._books = book_table.book_table(worker.table(book_table.NAME, book_table.HELP))
        self._recent: dict[int, RecentFrames] = defaultdict(RecentFrames)
        # By partition, tokens of the instruments with resting orders, or with outputs that may have to be sent again.
        self._resting: dict[int, set[int]] = defaultdict(set)
        self._clock: dict[int, int] = {}  # partition -> event second

    def group(self, token: int) -> str:
        """Co-location group of an instrument."""
        instrument = self._find(token)
        return str(token) if instrument is None else instrument.co_location_group

    def forget(self) -> None:
        """Partitions moved: any instrument may have resting orders, or reports that were never sent."""
        self._books.forget()
        self._recent.clear()
        self._resting.clear()
        for key, _ in self._books.states():
            self._resting[self._worker.topics.partition(self.group(int(key)))].add(int(key))

    def remember(self, partition: int, frame: TickFrame, raw: bytes) -> None:
        """Keep a frame that orders have met, for those that arrive late."""
        self._recent[partition].add(frame.run_id, frame.event_time, raw if frame.ticks else b"")
        self._clock[partition] = frame.event_time

    def place(self, record: Record, known: OrderRecord, cause: Envelope[OrderSubmitted]) -> list[Output]:
        """Take an order in; its reports. A redelivered order gives the reports it gave before."""
        order = known.order
        sent_at = max(order.event_time, known.not_before)

        def take_in(exchange: PaperExchange, book: PaperBook) -> list[Output]:
            self._forget_old_days(book, sent_at)
            passed = self._passed(record.partition, order, sent_at)
            updates = exchange.submit(
                order, passed=passed, not_before=known.not_before, after_sequence=known.after_sequence
            )
            return [self._report(update, order, cause) for update in updates]

        return self._change(record, order.instrument_token, take_in)

    def cancel(self, record: Record, body: CancelSubmitted) -> list[Output]:
        """Cancel what rests of an order; its reports."""
        token, clock = body.instrument_token, self._clock.get(record.partition, body.event_time)

        def take_out(exchange: PaperExchange, book: PaperBook) -> list[Output]:
            orders = _orders(book)
            updates = exchange.cancel(token, body.order_id, sent_at=body.event_time, clock=clock)
            return [self._report(update, orders[update.order_id]) for update in updates]

        return self._change(record, token, take_out)

    def _change(
        self, record: Record, token: int, change_it: Callable[[PaperExchange, PaperBook], list[Output]]
    ) -> list[Output]:
        key = str(token)
        with self._books.transaction(record.source, record.offset) as change:
            if change.applied(key):
                return change.commit()
            book = change.get(key) or PaperBook()
            outputs = change_it(PaperExchange(self._rules, self._find, {token: book}), book)
            change.put(key, book, outputs)
            outputs = change.commit()
        self._resting[record.partition].add(token)
        return outputs

    def _passed(self, partition: int, order: PlannedOrder, sent_at: int) -> Iterator[Seen]:
        for clock, ticks in self._recent[partition].since(order.run_id, order.instrument_token, sent_at):
            yield Seen(self._moment(order.instrument_token, clock), ticks)

    def _moment(self, token: int, clock: int) -> Moment:
        instrument = self._find(token)
        due = square_off(instrument, trading_day(clock))
        return Moment(clock, phase(instrument, clock), stage(instrument, clock), due)

    def _forget_old_days(self, book: PaperBook, at: int) -> None:
        today = session_start(trading_day(at))
        if any(placed < today for placed in book.known.values()):
            book.forget_before(today)

    def _note_resting(self, record: Record, token: int) -> None:
        """An instrument is done with once nothing rests and no frame that comes again has changed its book."""
        found = self._books.row(str(token))
        if found is None or not (found[1].resting or found[0].has_applied(record.source, record.offset + 1)):
            self._resting[record.partition].discard(token)

    def on_trigger(self, record: Record, body: TriggerMessage) -> list[Output]:
        """Nobody tells of triggers here."""
        return []

    def noted_trigger(self, message_id: str) -> None:
        """Nobody waits for it here."""

    def read(self, pushed: OrderPushed) -> OrderUpdate | None:
        """The socket tells of a real broker's orders, never of these."""
        return None

    def resumed(self) -> None:
        """Nothing comes from a socket here."""

    def noted(self, order_id: str) -> None:
        """Nothing follows: the exchange was told with the decision."""

    def on_frame(self, record: Record, frame: TickFrame) -> list[Output]:
        """Match resting orders with the frame's ticks; expire what its clock has run out for."""
        partition = record.partition
        resting = self._resting[partition]
        expiring = sorted(resting) if frame.event_time != self._clock.get(partition) else []
        self.remember(partition, frame, record.value or b"")
        touched = [tick for tick in frame.ticks if tick.instrument_token in resting] if resting else []
        if not touched and not expiring:
            return []
        return self._match(record, frame, touched, expiring)

    def _match(self, record: Record, frame: TickFrame, touched: list[Tick], expiring: list[int]) -> list[Output]:
        ticks: dict[int, list[Tick]] = {token: [] for token in expiring}
        for tick in touched:
            ticks.setdefault(tick.instrument_token, []).append(tick)
        with self._books.transaction(record.source, record.offset) as change:
            for token, its_ticks in ticks.items():
                if not change.applied(str(token)):
                    self._match_one(change, frame, token, its_ticks)
            outputs = change.commit()
        for token in ticks:
            self._note_resting(record, token)
        return outputs

    def _match_one(self, change: Transaction[PaperBook], frame: TickFrame, token: int, ticks: list[Tick]) -> None:
        book = change.get(str(token))
        if book is None:
            return
        orders = _orders(book)
        exchange = PaperExchange(self._rules, self._find, {token: book})
        moment = self._moment(token, frame.event_time)
        updates = exchange.on_clock(token, moment)
        updates += [update for tick in ticks for update in exchange.on_tick(tick, moment, frame.run_id)]
        if updates or exchange.changed:
            outputs = [self._report(update, orders[update.order_id]) for update in updates]
            change.put(str(token), book, outputs)

    def _report(self, update: OrderUpdate, order: PlannedOrder, cause: Envelope[Any] | None = None) -> Output:
        """A report on an order. It follows from the order's intent, also when a tick brought it about."""
        group = self.group(order.instrument_token)
        envelope = chained(
            update,
            message_id=ids.update_id(update.order_id, update.status.value, update.cumulative_quantity),
            broker=self._broker,
            key=group,
            source=self._worker.stage,
            at=update.event_time,
            first=order.frame_id if cause is None else cause.correlation_id,
            cause=ids.order_event_id("submitted", order.order_id),
        )
        return self._events.in_group(Topic.ORDERS_UPDATES, envelope, group)


def _orders(book: PaperBook) -> dict[str, PlannedOrder]:
    return {order_id: resting.order for order_id, resting in book.resting.items()}
