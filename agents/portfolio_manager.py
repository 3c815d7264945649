"""Portfolio manager: fills become positions, cash and P&L, and both are published as snapshots."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import structlog

from agents.events import Events
from agents.reference import Reference
from faust_app.runtime import metrics
from faust_app.runtime.app import Worker
from faust_app.runtime.codec import decode, encode, event_time, new_id, root
from faust_app.runtime.consume import Decision, Record
from faust_app.runtime.market_view import MarketView
from faust_app.runtime.topics import Topic
from models.messages import ids
from models.messages.envelope import Envelope
from models.messages.market import Marks
from models.messages.orders import OrderFilled
from models.messages.portfolio import PortfolioSnapshot, SnapshotCause
from tables import portfolios
from tables.journal import Output
from trading.accounting.account import Account, apply_fill, new_account, prune_orders, snapshot
from trading.market.instruments import Instrument, InstrumentRegistry
from trading.market.sessions import trading_day

log = structlog.get_logger(__name__)


class PortfolioManager:
    """State of the stage. Fills write the table; marks only publish."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._broker = worker.broker
        self._start_cash = worker.settings.brokers[worker.broker].start_cash
        self._events = Events(worker.topics, worker.stage, worker.broker)
        self._table = portfolios.portfolios_table(worker.table(portfolios.NAME, portfolios.HELP))
        self._reference = Reference(worker)
        self._registry = InstrumentRegistry(())
        self._view = MarketView(worker.settings, self._registry)
        self._view.on_marks(self._note_marks)
        self._snapshot_due = False
        self._last_second = 0
        self._late = 0.0  # from when on marks of the same event second are published too
        self._day = ""

    async def start(self) -> None:
        """Load instruments, then follow the marks and publish a snapshot a second while they move."""
        await self._load()
        await self._view.reader.run()

    async def _load(self) -> None:
        found = await self._reference.load("instruments", self._reference.data.load_instruments)
        self._registry = InstrumentRegistry(found)
        self._view.registry = self._registry

    async def forget(self) -> None:
        """Partitions moved: read states from the table again."""
        self._table.forget()
        for _, account in self._table.states():
            self._publish_metrics(snapshot(account, self._view.prices, SnapshotCause.MARK, self._view.clock))

    async def on_filled(self, record: Record) -> Decision:
        """Book one fill and publish the snapshot it leads to."""
        envelope = decode(OrderFilled, record.value)
        filled = envelope.data
        instrument = await self._instrument(filled.order.instrument_token)
        key = filled.order.account
        with self._table.transaction(record.source, record.offset) as change:
            change.remember("fill", filled.fill_id, trading_day(filled.event_time).isoformat())
            if change.applied(key):
                return Decision(change.commit(), duplicate=True)
            if self._table.remembers("fill", filled.fill_id):
                return Decision(duplicate=True)
            account = change.get(key) or new_account(key, self._start_cash)
            self._roll_day(account, filled.event_time)
            apply_fill(account, filled, instrument)
            body = snapshot(account, self._view.prices, SnapshotCause.FILL, filled.event_time)
            change.put(key, account, [self._snapshot_output(body, envelope)])
            return Decision(change.commit(), delivered=lambda: self._published(body))

    async def _instrument(self, token: int) -> Instrument:
        found = self._registry.by_token(token)
        if found is None:
            await self._load()
            found = self._registry.by_token(token)
        if found is None:
            raise LookupError(f"No instrument has token {token}")
        return found

    def _roll_day(self, account: Account, at: int) -> None:
        day = trading_day(at).isoformat()
        if self._day and day > self._day:
            prune_orders(account, trading_day(at))
            self._table.forget_days_before(day)
        self._day = max(day, self._day)

    def _snapshot_output(self, body: PortfolioSnapshot, cause: Envelope[Any]) -> Output:
        return self._events.by_account(
            Topic.PNL_SNAPSHOTS,
            body,
            message_id=ids.snapshot_id(body.account, cause.id),
            cause=cause,
            account=body.account,
            at=body.event_time,
        )

    def _note_marks(self, marks: Marks) -> None:
        if marks.marks:
            self._snapshot_due = True

    async def publish_on_marks(self) -> None:
        """Publish a snapshot of every account once a second while marks move, the last of them included."""
        while True:
            await asyncio.sleep(0.25)
            every = self._worker.settings.worker.snapshot_seconds
            is_time = abs(self._view.clock - self._last_second) >= every or time.monotonic() >= self._late
            if self._snapshot_due and is_time:
                self._snapshot_due, self._last_second = False, self._view.clock
                self._late = time.monotonic() + every
                for _, account in self._table.states():
                    await self._publish(account)

    async def _publish(self, account: Account) -> None:
        body = snapshot(account, self._view.prices, SnapshotCause.MARK, self._view.clock)
        if not body.positions:
            return
        envelope = root(
            body,
            message_id=new_id(),
            broker=self._broker,
            key=account.account,
            source=self._worker.stage,
            at=event_time(self._view.clock),
        )
        topic = self._worker.topics.name(Topic.PNL_SNAPSHOTS, self._broker)
        if await self._worker.try_send(Output(topic, account.account.encode(), encode(envelope))):
            self._published(body)

    def _published(self, body: PortfolioSnapshot) -> None:
        metrics.SNAPSHOTS.labels(self._broker, body.cause.value).inc()
        metrics.LAST_SNAPSHOT.labels(self._broker).set(time.time())
        self._publish_metrics(body)

    def _publish_metrics(self, body: PortfolioSnapshot) -> None:
        labels = (self._broker, body.account)
        metrics.PNL_REALISED.labels(*labels).set(float(body.realised))
        metrics.PNL_UNREALISED.labels(*labels).set(float(body.unrealised))
        metrics.PNL_CHARGES.labels(*labels).set(float(body.charges))
        metrics.EQUITY.labels(*labels).set(float(body.equity))


def attach(worker: Worker) -> None:
    """Declare the stage on `worker`."""
    stage = PortfolioManager(worker)
    worker.consume(worker.topics.name(Topic.ORDERS_FILLED, worker.broker), stage.on_filled)
    worker.background("marks", stage.start)
    worker.background("snapshots", stage.publish_on_marks)
    worker.on_recovered(stage.forget)
