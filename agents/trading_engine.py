"""Trading engine: accepted signals become orders exactly once, and broker reports become fills and failures.

    signals.validated -> orders.submitted (the durable intent) -> broker -> orders.updates -> ack, filled, failed

Each handler changes one table. The broker of a simulated account is the paper exchange, which is fed by the same
ticks as the strategies; its reports take the same way back as a real broker's.
"""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import structlog

from agents.events import Events
from agents.paper_exchange import PaperExchange
from agents.reference import Reference
from faust_app.runtime import metrics
from faust_app.runtime.app import Worker
from faust_app.runtime.codec import decode, decode_frame
from faust_app.runtime.consume import Decision, Record
from faust_app.runtime.topics import Topic
from faust_app.runtime.trading_state import TradingStateView
from models.messages import ids
from models.messages.control import TradingState
from models.messages.envelope import Envelope
from models.messages.orders import (
    OrderAcknowledged,
    OrderFailed,
    OrderStatus,
    OrderSubmitted,
    OrderUpdate,
    PlannedOrder,
)
from models.messages.signals import AcceptedSignal
from tables import orders as orders_table
from tables.journal import Output
from trading.market.instruments import Instrument, InstrumentRegistry
from trading.market.sessions import trading_day
from trading.orders.state import Folded, OrderRecord, fold, submitted

log = structlog.get_logger(__name__)
NANOSECONDS = 1_000_000_000


class TradingEngine:
    """State of the stage: orders in a table, the paper exchange beside it."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._broker = worker.broker
        self._events = Events(worker.topics, worker.stage, worker.broker)
        self._orders = orders_table.orders_table(worker.table(orders_table.NAME, orders_table.HELP))
        self._exchange = PaperExchange(worker, self._events, self._find)
        self._reference = Reference(worker)
        self._registry = InstrumentRegistry(())
        self._trading_state = TradingStateView(worker.settings, worker=f"{worker.stage}.{worker.broker}")
        self._days: dict[int, date] = {}  # partition -> trading day of its newest order
        self._processed = metrics.TICKS_PROCESSED.labels(worker.stage, worker.broker)

    async def load(self) -> None:
        """Instruments, before the first message."""
        found = await self._reference.load("instruments", self._reference.data.load_instruments)
        self._registry = InstrumentRegistry(found)

    def _find(self, token: int) -> Instrument | None:
        return self._registry.by_token(token)

    async def forget(self) -> None:
        """Partitions moved: read states again."""
        await self._ready()
        self._orders.forget()
        self._exchange.forget()
        open_orders = sum(not record.status.is_terminal for _, record in self._orders.states())
        metrics.ORDERS_OPEN.labels(self._broker).set(open_orders)

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
        seconds = (time.time_ns() - accepted.origin.received_ns) / NANOSECONDS
        metrics.ORDERS_SUBMITTED.labels(self._broker).inc(len(accepted.orders))
        metrics.TICK_TO_ORDER_SECONDS.labels(self._broker).observe(seconds)
        metrics.note_maximum(metrics.TICK_TO_ORDER_MAX.labels(self._broker), seconds)

    async def on_submitted(self, record: Record) -> Decision:
        """Record the intent; unless it is refused at the last moment, hand it to the paper exchange."""
        envelope = decode(OrderSubmitted, record.value)
        await self._ready()
        order = envelope.data.order
        self._forget_old_days(record.partition, order.event_time)
        with self._orders.transaction(record.source, record.offset) as change:
            redelivered = change.applied(order.order_id)
            known = change.get(order.order_id)
            if known is None:
                known, outputs = self._admit(order, envelope)
                change.put(order.order_id, known, outputs)
            outputs = change.commit()
        if known.status is OrderStatus.DENIED_LATE:
            return Decision(outputs, duplicate=redelivered)
        return Decision(outputs + self._exchange.place(record, order, envelope), duplicate=redelivered)

    def _forget_old_days(self, partition: int, at: int) -> None:
        """Once a day and partition: drop the finished orders of earlier days. The ledger has them."""
        today = trading_day(at)
        if self._days.get(partition, date.min) >= today:
            return
        self._days[partition] = today
        for order_id, known in self._orders.states():
            group = self._exchange.group(known.order.instrument_token)
            is_old = known.status.is_terminal and trading_day(known.updated_at) < today
            if is_old and self._worker.topics.partition(group) == partition:
                self._orders.delete(order_id)

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

    async def on_frame(self, record: Record) -> Decision:
        """The paper exchange meets a frame."""
        frame = decode_frame(record.value)
        self._processed.inc(len(frame.ticks))
        return self._exchange.on_frame(record, frame)

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
            change.put(update.order_id, folded.record, self._consequences(folded, envelope))
            outputs = change.commit()
        return Decision(outputs, delivered=lambda: self._count_folded(folded, was_open), duplicate=folded.is_repeat)

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
