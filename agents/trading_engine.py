"""Trading engine: accepted signals become orders exactly once, and broker reports become fills and failures.

    signals.validated -> orders.submitted (the durable intent) -> broker -> orders.updates -> ack, filled, failed

Each handler changes one table. The broker of a simulated account is the paper exchange, which is fed by the same
ticks as the strategies; its reports take the same way back as a real broker's.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

import structlog

from agents.events import Events
from agents.reference import Reference
from faust_app.runtime import metrics
from faust_app.runtime.app import Worker
from faust_app.runtime.codec import decode, decode_frame, encode, event_time
from faust_app.runtime.consume import Decision, Record
from faust_app.runtime.topics import Topic
from faust_app.runtime.trading_state import TradingStateView
from models.messages import CATALOGUE, ids
from models.messages.control import TradingState
from models.messages.envelope import Envelope
from models.messages.orders import OrderFailed, OrderStatus, OrderSubmitted, OrderUpdate, PlannedOrder
from models.messages.signals import AcceptedSignal
from models.messages.ticks import Tick, TickFrame
from tables import book as book_table
from tables import orders as orders_table
from tables.journal import Output
from trading.market.instruments import InstrumentRegistry
from trading.market.sessions import phase_at
from trading.matching.book import PaperBook, RecentTicks, expire, match, place
from trading.orders.state import OrderRecord, fold, submitted

log = structlog.get_logger(__name__)
NANOSECONDS = 1_000_000_000


class TradingEngine:
    """State of the stage: orders and resting orders in tables, recent ticks in memory."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._broker = worker.broker
        self._latency_ms = worker.settings.brokers[worker.broker].fill_latency_ms
        self._events = Events(worker.topics, worker.stage, worker.broker)
        self._orders = orders_table.orders_table(worker.table(orders_table.NAME, orders_table.HELP))
        self._books = book_table.book_table(worker.table(book_table.NAME, book_table.HELP))
        self._reference = Reference(worker)
        self._registry = InstrumentRegistry(())
        self._trading_state = TradingStateView(worker.settings, worker=f"{worker.stage}.{worker.broker}")
        self._recent: dict[int, RecentTicks] = defaultdict(RecentTicks)
        self._resting: dict[int, set[int]] = defaultdict(set)  # partition -> instrument tokens with resting orders
        self._clock: dict[int, int] = {}  # partition -> event second
        self._processed = metrics.TICKS_PROCESSED.labels(worker.stage, worker.broker)

    async def load(self) -> None:
        """Instruments, before the first message."""
        found = await self._reference.load("instruments", self._reference.repository.load_instruments)
        self._registry = InstrumentRegistry(found)

    async def forget(self) -> None:
        """Partitions moved: read states again, and find the instruments with resting orders."""
        self._orders.forget()
        self._books.forget()
        self._recent.clear()
        self._resting.clear()
        for key, book in self._books.states():
            if book.resting:
                self._resting[self._partition(int(key))].add(int(key))
        open_orders = sum(not record.status.is_terminal for _, record in self._orders.states())
        metrics.ORDERS_OPEN.labels(self._broker).set(open_orders)

    def _group(self, token: int) -> str:
        instrument = self._registry.by_token(token)
        return str(token) if instrument is None else instrument.co_location_group

    def _partition(self, token: int) -> int:
        return self._worker.topics.partition(self._group(token))

    async def on_accepted(self, record: Record) -> Decision:
        """An accepted signal becomes the durable intent of each of its orders. Repeats have the same ids."""
        envelope = decode(AcceptedSignal, record.value)
        await self._ready()
        outputs = [self._submission(order, envelope) for order in envelope.data.orders]
        return Decision(outputs, delivered=lambda: self._count_submitted(envelope.data))

    def _submission(self, order: PlannedOrder, cause: Envelope[AcceptedSignal]) -> Output:
        return self._events.by_group(
            Topic.ORDERS_SUBMITTED,
            OrderSubmitted(order=order),
            message_id=ids.order_event_id("submitted", order.order_id),
            cause=cause,
            group=self._group(order.instrument_token),
            at=order.event_time,
        )

    def _count_submitted(self, accepted: AcceptedSignal) -> None:
        seconds = (time.time_ns() - accepted.origin.received_ns) / NANOSECONDS
        metrics.ORDERS_SUBMITTED.labels(self._broker).inc(len(accepted.orders))
        metrics.TICK_TO_ORDER_SECONDS.labels(self._broker).observe(seconds)
        metrics.note_maximum(metrics.TICK_TO_ORDER_MAX.labels(self._broker), seconds)

    async def on_submitted(self, record: Record) -> Decision:
        """Record the intent; unless it is refused at the last moment, hand it to the paper exchange."""
        envelope = decode(OrderSubmitted, record.value)
        await self._ready()
        order = envelope.data.order
        with self._orders.transaction(record.source, record.offset) as change:
            redelivered = change.applied(order.order_id)
            known = change.get(order.order_id)
            if known is None:
                known, outputs = self._admit(order, envelope)
                change.put(order.order_id, known, outputs)
            outputs = change.commit()
        if known.status is OrderStatus.DENIED_LATE:
            return Decision(outputs, duplicate=redelivered)
        return Decision(outputs + self._place(record, order, envelope), duplicate=redelivered)

    def _admit(self, order: PlannedOrder, cause: Envelope[Any]) -> tuple[OrderRecord, list[Output]]:
        record = submitted(order)
        state = self._trading_state.state_for(self._broker, order.strategy)
        if state is TradingState.ACTIVE or order.reduces:
            metrics.ORDERS_OPEN.labels(self._broker).inc()
            return record, []
        record.status = OrderStatus.DENIED_LATE
        record.reason = f"Trading is {state.value}"
        failed = OrderFailed(
            order=order,
            broker_order_id="",
            outcome=OrderStatus.DENIED_LATE,
            filled_quantity=0,
            reason=record.reason,
            event_time=order.event_time,
        )
        metrics.ORDERS_FINISHED.labels(self._broker, OrderStatus.DENIED_LATE.value).inc()
        return record, [self._failure(failed, cause)]

    def _place(self, record: Record, order: PlannedOrder, cause: Envelope[Any]) -> list[Output]:
        token = order.instrument_token
        key = str(token)
        with self._books.transaction(record.source, record.offset) as change:
            if change.applied(key):
                return change.commit()
            book = change.get(key) or PaperBook()
            updates = place(book, order, self._recent[token], self._latency_ms)
            change.put(key, book, [self._report(update, cause, order) for update in updates])
            outputs = change.commit()
        self._note_resting(record.partition, token, book)
        return outputs

    def _note_resting(self, partition: int, token: int, book: PaperBook) -> None:
        if book.resting:
            self._resting[partition].add(token)
        else:
            self._resting[partition].discard(token)

    async def on_frame(self, record: Record) -> Decision:
        """Match resting orders with the frame's ticks; expire what its clock has run out for."""
        frame = decode_frame(record.value)
        resting = self._resting[record.partition]
        self._remember_ticks(frame)
        self._processed.inc(len(frame.ticks))
        if not resting:
            self._clock[record.partition] = frame.event_time
            return Decision()
        touched = [tick for tick in frame.ticks if tick.instrument_token in resting]
        expiring = sorted(resting) if frame.event_time != self._clock.get(record.partition) else []
        self._clock[record.partition] = frame.event_time
        if not touched and not expiring:
            return Decision()
        return self._match(record, frame, touched, expiring)

    def _remember_ticks(self, frame: TickFrame) -> None:
        for tick in frame.ticks:
            self._recent[tick.instrument_token].add(frame.run_id, tick)

    def _match(self, record: Record, frame: TickFrame, touched: list[Tick], expiring: list[int]) -> Decision:
        ticks: dict[int, list[Tick]] = {token: [] for token in expiring}
        for tick in touched:
            ticks.setdefault(tick.instrument_token, []).append(tick)
        with self._books.transaction(record.source, record.offset) as change:
            for token, its_ticks in ticks.items():
                if not change.applied(str(token)):
                    self._match_one(change, frame, token, its_ticks)
            outputs = change.commit()
        for token in ticks:
            found = self._books.row(str(token))
            if found is not None:
                self._note_resting(record.partition, token, found[1])
        return Decision(outputs)

    def _match_one(self, change: Any, frame: TickFrame, token: int, ticks: list[Tick]) -> None:
        book = change.get(str(token))
        if book is None:
            return
        orders = {order_id: resting.order for order_id, resting in book.resting.items()}
        updates = [update for tick in ticks for update in match(book, tick, frame.run_id)]
        instrument = self._registry.by_token(token)
        segment = instrument.segment if instrument else "NSE"
        updates += expire(book, frame.event_time, phase_at(segment, frame.event_time))
        if updates:
            outputs = [self._market_report(update, orders[update.order_id]) for update in updates]
            change.put(str(token), book, outputs)

    def _report(self, update: OrderUpdate, cause: Envelope[Any], order: PlannedOrder) -> Output:
        return self._events.by_group(
            Topic.ORDERS_UPDATES,
            update,
            message_id=ids.update_id(update.order_id, update.status.value, update.cumulative_quantity),
            cause=cause,
            group=self._group(order.instrument_token),
            at=update.event_time,
        )

    def _market_report(self, update: OrderUpdate, order: PlannedOrder) -> Output:
        """A report caused by a tick: it follows from the order's own intent."""
        name, version = CATALOGUE[OrderUpdate]
        group = self._group(order.instrument_token)
        cause = Envelope(
            id=ids.update_id(update.order_id, update.status.value, update.cumulative_quantity),
            type=name,
            version=version,
            broker=self._broker,
            key=group,
            source=self._worker.stage,
            occurred_at=event_time(update.event_time),
            correlation_id=self._correlation(order),
            causation_id=ids.order_event_id("submitted", order.order_id),
            trace_id=self._correlation(order),
            data=update,
        )
        topic = self._worker.topics.name(Topic.ORDERS_UPDATES, self._broker)
        return Output(topic, group.encode(), encode(cause), self._worker.topics.partition(group))

    def _correlation(self, order: PlannedOrder) -> str:
        return order.frame_id

    async def on_update(self, record: Record) -> Decision:
        """Fold a broker's report into the order; what is new in it becomes an acknowledgement, fills, a failure."""
        envelope = decode(OrderUpdate, record.value)
        await self._ready()
        update = envelope.data
        with self._orders.transaction(record.source, record.offset) as change:
            if change.applied(update.order_id):
                return Decision(change.commit(), duplicate=True)
            known = change.get(update.order_id)
            if known is None:
                log.warning("update_of_unknown_order", order_id=update.order_id)
                return Decision()
            was_open = not known.status.is_terminal
            folded = fold(known, update)
            outputs = self._consequences(folded, envelope)
            change.put(update.order_id, folded.record, outputs)
            outputs = change.commit()
        return Decision(outputs, delivered=lambda: self._count_folded(folded, was_open), duplicate=folded.is_repeat)

    def _consequences(self, folded: Any, cause: Envelope[Any]) -> list[Output]:
        account = folded.record.order.account
        outputs: list[Output] = []
        if folded.acknowledged is not None:
            message_id = ids.order_event_id("acknowledged", folded.record.order.order_id)
            outputs.append(
                self._events.by_account(
                    Topic.ORDERS_ACK,
                    folded.acknowledged,
                    message_id=message_id,
                    cause=cause,
                    account=account,
                    at=folded.acknowledged.event_time,
                )
            )
        for fill in folded.fills:
            outputs.append(
                self._events.by_account(
                    Topic.ORDERS_FILLED,
                    fill,
                    message_id=fill.fill_id,
                    cause=cause,
                    account=account,
                    at=fill.event_time,
                )
            )
        if folded.failed is not None:
            outputs.append(self._failure(folded.failed, cause))
        return outputs

    def _failure(self, failed: OrderFailed, cause: Envelope[Any]) -> Output:
        return self._events.by_account(
            Topic.ORDERS_FAILED,
            failed,
            message_id=ids.order_event_id("failed", failed.order.order_id),
            cause=cause,
            account=failed.order.account,
            at=failed.event_time,
        )

    def _count_folded(self, folded: Any, was_open: bool) -> None:
        if folded.alarm:
            metrics.ORDER_ALARMS.labels(self._broker).inc()
            log.error("order_alarm", order_id=folded.record.order.order_id, alarm=folded.alarm)
        seconds = (time.time_ns() - folded.record.order.received_ns) / NANOSECONDS
        for _ in folded.fills:
            metrics.FILLS.labels(self._broker).inc()
            metrics.TICK_TO_FILL_SECONDS.labels(self._broker).observe(seconds)
        if was_open and folded.record.status.is_terminal:
            metrics.ORDERS_OPEN.labels(self._broker).dec()
            metrics.ORDERS_FINISHED.labels(self._broker, folded.record.status.value).inc()

    async def _ready(self) -> None:
        if not len(self._registry):
            await self.load()

    async def follow_trading_state(self) -> None:
        """Keep the trading state current."""
        await self._trading_state.run()


def attach(worker: Worker) -> None:
    """Declare the stage on `worker`."""
    stage = TradingEngine(worker)
    name, broker = worker.topics.name, worker.broker
    worker.consume(name(Topic.SIGNALS_VALIDATED, broker), stage.on_accepted)
    worker.consume(name(Topic.ORDERS_SUBMITTED, broker), stage.on_submitted)
    worker.consume(name(Topic.ORDERS_UPDATES, broker), stage.on_update)
    worker.consume(name(Topic.MARKET_TICKS), stage.on_frame)
    worker.background("reference", stage.load)
    worker.background("trading state", stage.follow_trading_state)
    worker.on_recovered(stage.forget)
