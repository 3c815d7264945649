"""Trading engine: accepted signals become orders exactly once, and broker reports become fills and failures.

    signals.validated -> orders.submitted (the durable intent) -> broker -> orders.updates -> ack, filled, failed

Exits of brackets and cancels are intents on `orders.submitted`, too. The broker of a simulated account is the paper
exchange, which is fed by the same ticks as the strategies; its reports take the same way back as a real broker's.
"""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import structlog
from msgspec.structs import replace

from agents.events import Events
from agents.execution import Execution
from agents.live.broker import LiveBroker
from agents.order_desk import OrderDesks
from agents.order_lines import about, log_failed, log_filled, log_submitted
from agents.paper_exchange import PaperBroker
from agents.recent_frames import read_again
from agents.reference import Reference
from agents.withdrawals import Withdrawals
from faust_app.runtime import metrics
from faust_app.runtime.app import Worker
from faust_app.runtime.codec import decode, decode_any, decode_frame, decode_one_of
from faust_app.runtime.consume import Decision, Record
from faust_app.runtime.errors import DecodeError
from faust_app.runtime.exchange_clock import exchange_clock
from faust_app.runtime.topics import SHARED, Topic
from faust_app.runtime.trading_state import TradingStateView
from models.messages import ids
from models.messages.control import TradingState
from models.messages.envelope import Envelope
from models.messages.orders import (
    CallAttempted,
    CancelSubmitted,
    ClockMoved,
    OrderAcknowledged,
    OrderFailed,
    OrderPushed,
    OrderStatus,
    OrderSubmitted,
    OrderUpdate,
    PlannedOrder,
    UpdatesResumed,
)
from models.messages.protection import TriggerAsked, TriggerGone, TriggerStands
from models.messages.signals import AcceptedSignal
from models.messages.ticks import FRAME_VERSION, TickFrame
from tables import orders as orders_table
from tables.journal import Output
from trading.market.instruments import Instrument, InstrumentRegistry
from trading.market.sessions import trading_day
from trading.orders.desk import Change
from trading.orders.state import Alarm, Folded, fold

log = structlog.get_logger(__name__)
NANOSECONDS = 1_000_000_000
UPDATES = (
    *(OrderUpdate, OrderPushed, CallAttempted, UpdatesResumed, ClockMoved),
    *(TriggerAsked, TriggerStands, TriggerGone),
)


class TradingEngine:
    """State of the stage: orders in a table, the paper exchange beside it."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._broker = worker.broker
        self._events = Events(worker.topics, worker.stage, worker.broker)
        self._orders = orders_table.orders_table(worker.table(orders_table.NAME, orders_table.HELP))
        self._trading_state = TradingStateView(worker.settings, worker=f"{worker.stage}.{worker.broker}")
        self._registry = InstrumentRegistry(())
        self._clock = exchange_clock(worker.settings, worker.broker)
        self._exchange = self._execution()
        self._desks = OrderDesks(
            self._orders,
            self._events,
            self._find,
            stage=worker.stage,
            broker=worker.broker,
            told=self._told,
        )
        self._withdrawals = Withdrawals(
            worker, self._orders, self._trading_state, self._desks, self._find, self._clock, group=self._exchange.group
        )
        self._reference = Reference(worker)
        self._days: dict[int, date] = {}  # partition -> trading day of its newest order
        self._processed = metrics.TICKS_PROCESSED.labels(worker.stage, worker.broker)

    def _execution(self) -> Execution:
        if self._worker.settings.brokers[self._broker].execution.is_at_the_broker:
            return LiveBroker(
                self._worker, self._orders, self._events, lambda: self._registry, self._trading_state, self._clock
            )
        return PaperBroker(self._worker, self._events, self._find)

    async def load(self) -> None:
        """Instruments, before the first message."""
        self._registry = await self._reference.load("instruments", self._reference.data.load_registry)

    def _find(self, token: int) -> Instrument | None:
        return self._registry.by_token(token)

    async def forget(self) -> None:
        """Partitions moved: read states again."""
        await self._ready()
        self._orders.forget()
        self._exchange.forget()
        self._withdrawals.forget()
        self._desks.rebuild(self._partition)
        async for partition, raw in read_again(self._worker, self._worker.topics.name(Topic.MARKET_TICKS)):
            self.remember(partition, raw)
        open_orders = sum(record.is_open for _, record in self._orders.states())
        metrics.ORDERS_OPEN.labels(self._broker).set(open_orders)

    def remember(self, partition: int, raw: bytes) -> None:
        """Take in a frame that was handled before a restart, for orders that arrive late and for last prices."""
        try:
            frame = decode_frame(raw)
        except DecodeError:
            return  # it went to the dead letters when it was handled
        self._clock.hear(frame.event_time)
        self._exchange.remember(partition, frame, raw)
        self._desks.remember(partition, frame)

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
            group=self._exchange.group(order.instrument_token),
            at=order.event_time,
        )

    def _count_submitted(self, accepted: AcceptedSignal) -> None:
        metrics.ORDERS_SUBMITTED.labels(self._broker).inc(len(accepted.orders))
        log_submitted(accepted.orders)
        if not accepted.origin.received_ns:
            return  # no tick is behind it
        seconds = (time.time_ns() - accepted.origin.received_ns) / NANOSECONDS
        metrics.TICK_TO_ORDER_SECONDS.labels(self._broker).observe(seconds)
        metrics.note_maximum(metrics.TICK_TO_ORDER_MAX.labels(self._broker), seconds)

    async def on_submitted(self, record: Record) -> Decision:
        """An intent: record an order and hand it to the paper exchange, or cancel one there."""
        envelope = decode_any(record.value)
        await self._ready()
        if isinstance(envelope.data, CancelSubmitted):
            return self._cancel(record, envelope.data)
        if isinstance(envelope.data, OrderSubmitted):
            return self._take_in(record, envelope)
        raise DecodeError(f"A {envelope.type} message is no intent")

    def _cancel(self, record: Record, body: CancelSubmitted) -> Decision:
        """Store the wish with the order, then tell the exchange."""
        with self._orders.transaction(record.source, record.offset) as change:
            known = None if change.applied(body.order_id) else change.get(body.order_id)
            if known is not None and known.is_open:
                known.cancel_wanted = True
                known.is_overdue = known.is_overdue or body.is_overdue
                change.put(body.order_id, known, [])
            outputs = change.commit()
        outputs = outputs + self._exchange.cancel(record, body)
        return Decision(outputs, delivered=lambda: self._noted(body.order_id))

    def _take_in(self, record: Record, envelope: Envelope[OrderSubmitted]) -> Decision:
        """Record an order; unless it is refused at the last moment or has to wait, hand it to the paper exchange."""
        order = envelope.data.order
        self._forget_old_days(record.partition, order.event_time)
        with self._orders.transaction(record.source, record.offset) as change:
            redelivered = change.applied(order.order_id)
            known = change.get(order.order_id)
            changes: list[Change] = []
            if known is None:
                changes = self._admitted(record.partition, envelope.data)
                known = changes[0].record
                for one in changes:
                    change.put(one.record.order.order_id, one.record, self._desks.outputs(one, envelope))
                if known.is_open:
                    metrics.ORDERS_OPEN.labels(self._broker).inc()
            outputs = change.commit()
        for stored in (known, *(one.record for one in changes[1:])):
            self._desks.note(record.partition, stored)
        if known.status is OrderStatus.DENIED_LATE or known.held:
            return Decision(outputs, duplicate=redelivered)
        outputs = outputs + self._exchange.place(record, known, envelope)
        return Decision(outputs, delivered=lambda: self._noted(order.order_id), duplicate=redelivered)

    def _admitted(self, partition: int, body: OrderSubmitted) -> list[Change]:
        """The record of a new order first; one that is at the broker already may change those of brackets, too."""
        if body.broker_order_id:
            return self._desks.adopt(partition, body)
        return [self._desks.admit(partition, body.order, self._refusal(body.order))]

    def _noted(self, order_id: str) -> None:
        self._exchange.noted(order_id)
        self._withdrawals.noted(order_id)

    def _forget_old_days(self, partition: int, at: int) -> None:
        """Once a day and partition: drop the finished orders of earlier days. The ledger has them."""
        today = trading_day(at)
        if self._days.get(partition, date.min) >= today:
            return
        self._days[partition] = today
        self._desks.forget_before(partition, at, lambda order: self._partition(order) == partition)

    def _partition(self, order: PlannedOrder) -> int:
        return self._worker.topics.partition(self._exchange.group(order.instrument_token))

    def _refusal(self, order: PlannedOrder) -> str:
        state = self._trading_state.state_for(self._broker, order.strategy)
        return "" if state is TradingState.ACTIVE or order.reduces else f"Trading is {state.value}"

    def _told(self, what: Alarm | OrderFailed, order: PlannedOrder) -> None:
        """The desk has an alarm, or denies an order; one that was held had been open."""
        if isinstance(what, Alarm):
            self._raise_alarm(what, order)
            return
        log_failed(what)
        metrics.ORDERS_FINISHED.labels(self._broker, what.outcome.value).inc()
        if self._orders.row(order.order_id) is not None:
            metrics.ORDERS_OPEN.labels(self._broker).dec()

    def _raise_alarm(self, alarm: Alarm, order: PlannedOrder) -> None:
        metrics.ORDER_ALARMS.labels(self._broker, alarm.kind.value).inc()
        log.error("order_alarm", **about(order), kind=alarm.kind.value, alarm=alarm.message)

    async def on_frame(self, record: Record) -> Decision:
        """The brackets are looked at when the clock moves; the paper exchange meets the frame."""
        frame = decode_frame(record.value)
        self._processed.inc(len(frame.ticks))
        self._clock.hear(frame.event_time)
        outputs = self._desks.on_frame(record, frame)
        return Decision(outputs + self._exchange.on_frame(record, frame))

    async def on_update(self, record: Record) -> Decision:
        """Fold a broker's report into the order; what is new in it becomes an acknowledgement, fills, a failure."""
        envelope = decode_one_of(UPDATES, record.value)
        await self._ready()
        if isinstance(envelope.data, TriggerAsked | TriggerStands | TriggerGone):
            outputs, message_id = self._exchange.on_trigger(record, envelope.data), envelope.id
            return Decision(outputs, delivered=lambda: self._exchange.noted_trigger(message_id))
        if isinstance(envelope.data, CallAttempted):
            return self._mark(record, envelope.data)
        if isinstance(envelope.data, UpdatesResumed):
            return Decision(delivered=self._exchange.resumed)
        if isinstance(envelope.data, ClockMoved):
            return self._move_clock(record, envelope)
        pushed = envelope.data if isinstance(envelope.data, OrderPushed) else None
        update = envelope.data if pushed is None else self._exchange.read(pushed)
        if update is None:
            return Decision()
        with self._orders.transaction(record.source, record.offset) as change:
            if change.applied(update.order_id):
                return Decision(change.commit(), duplicate=True)
            known = change.get(update.order_id)
            if known is None:
                log.warning("update_of_unknown_order", order_id=update.order_id)
                return Decision()
            was_open = known.is_open
            folded = fold(known, update)
            cause = envelope if pushed is None else _as_of(known.order, envelope)
            change.put(update.order_id, folded.record, self._consequences(folded, cause))
            outputs = change.commit()
        self._desks.note(record.partition, folded.record)
        if update.unknown_status:
            metrics.UNKNOWN_STATUSES.labels(self._broker).inc()
            log.warning("unknown_order_status", **about(folded.record.order), status=update.unknown_status)
        return Decision(outputs, delivered=lambda: self._count_folded(folded, was_open), duplicate=folded.is_repeat)

    def _mark(self, record: Record, body: CallAttempted) -> Decision:
        """From now on the order may be at the broker. The first mark counts."""
        with self._orders.transaction(record.source, record.offset) as change:
            known = None if change.applied(body.order_id) else change.get(body.order_id)
            if known is not None and not known.attempted_at:
                known.attempted_at = body.at
                change.put(body.order_id, known, [])
            outputs = change.commit()
        return Decision(outputs, delivered=lambda: self._noted(body.order_id))

    def _move_clock(self, record: Record, envelope: Envelope[ClockMoved]) -> Decision:
        """The brackets are looked at without the feed, as if a frame without ticks had come."""
        moved = envelope.data
        frame = TickFrame(FRAME_VERSION, envelope.id, moved.run_id, 0, moved.at, 0, SHARED, ())
        return Decision(self._desks.on_frame(record, frame))

    def _consequences(self, folded: Folded, cause: Envelope[OrderUpdate]) -> list[Output]:
        outputs = []
        if folded.acknowledged is not None:
            outputs.append(self._acknowledgement(folded.acknowledged, cause))
        outputs += [
            self._events.by_account(
                Topic.ORDERS_FILLED,
                fill,
                message_id=fill.fill_id,
                cause=cause,
                account=fill.order.account,
                at=fill.event_time,
            )
            for fill in folded.fills
        ]
        if folded.failed is not None:
            outputs.append(self._failure(folded.failed, cause))
        return outputs

    def _acknowledgement(self, acknowledged: OrderAcknowledged, cause: Envelope[OrderUpdate]) -> Output:
        return self._events.by_account(
            Topic.ORDERS_ACK,
            acknowledged,
            message_id=ids.order_event_id("acknowledged", acknowledged.order_id),
            cause=cause,
            account=acknowledged.account,
            at=acknowledged.event_time,
        )

    def _failure(self, failed: OrderFailed, cause: Envelope[Any]) -> Output:
        return self._events.by_account(
            Topic.ORDERS_FAILED,
            failed,
            message_id=ids.order_event_id("failed", failed.order.order_id),
            cause=cause,
            account=failed.order.account,
            at=failed.event_time,
        )

    def _count_folded(self, folded: Folded, was_open: bool) -> None:
        for alarm in folded.alarms:
            self._raise_alarm(alarm, folded.record.order)
        received_ns = folded.record.order.received_ns
        self._noted(folded.record.order.order_id)
        if folded.failed is not None:
            log_failed(folded.failed)
        for fill in folded.fills:
            log_filled(fill)
            metrics.FILLS.labels(self._broker).inc()
            metrics.LAST_FILL.labels(self._broker).set(time.time())
            if received_ns:
                seconds = (time.time_ns() - received_ns) / NANOSECONDS
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


def _as_of(order: PlannedOrder, pushed: Envelope[Any]) -> Envelope[Any]:
    """The cause of what a report off the socket leads to: it begins no chain, it is a step in the order's own."""
    intent = ids.order_event_id("submitted", order.order_id)
    return replace(pushed, id=intent, correlation_id=order.frame_id, trace_id=order.frame_id)


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
    worker.background("withdrawals", stage._withdrawals.run)
    worker.on_recovered(stage.forget)
