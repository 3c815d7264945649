"""Portfolio manager: fills become positions, cash and P&L, published as snapshots with what needs a person."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from typing import Any

import msgspec
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
from models.messages.portfolio import AccountAlarm, AlarmKind, PortfolioSnapshot, SnapshotCause
from tables import portfolios
from tables.journal import Output
from trading.accounting.account import Account, apply_fill, mark_to_market, new_account
from trading.accounting.day import roll_day
from trading.accounting.margin import MarginRates
from trading.accounting.snapshot import snapshot
from trading.market.instruments import Instrument, InstrumentRegistry
from trading.market.sessions import trading_day

log = structlog.get_logger(__name__)


class PortfolioManager:
    """State of the stage. Fills write the table; marks only publish."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._broker = worker.broker
        self._settings = worker.settings.brokers[worker.broker]
        risk = worker.settings.risk
        self._rates = MarginRates(
            intraday=risk.equity_margin_percent / 100,
            futures=risk.futures_margin_percent / 100,
            sold_options=risk.short_option_margin_percent / 100,
        )
        self._events = Events(worker.topics, worker.stage, worker.broker)
        self._table = portfolios.portfolios_table(worker.table(portfolios.NAME, portfolios.HELP))
        self._reference = Reference(worker)
        self._registry = InstrumentRegistry(())
        self._view = MarketView(worker.settings, self._registry)
        self._view.on_marks(self._note_marks)
        self._snapshot_due = False
        self._last_second = 0
        self._late = 0.0  # from when on marks of the same event second are published too
        self._peaks: dict[str, Decimal] = {}  # highest equity published since the account was last written
        self._alarms: dict[str, tuple[AccountAlarm, ...]] = {}

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
        self._peaks.clear()
        for _, account in self._table.states():
            self._publish_metrics(self._snapshot_on_marks(account))

    async def on_filled(self, record: Record) -> Decision:
        """Book one fill and publish the snapshot it leads to."""
        envelope = decode(OrderFilled, record.value)
        filled = envelope.data
        instrument = await self._instrument(filled.order.instrument_token)
        key = filled.order.account
        with self._table.transaction(record.source, record.offset) as change:
            if change.applied(key):
                return Decision(change.commit(), duplicate=True)
            account = change.get(key) or new_account(key, self._settings.start_cash)
            day = trading_day(filled.event_time)
            roll_day(account, day, self._view.end_before(day))
            if not apply_fill(account, filled, instrument):
                change.put(key, account, [])
                return Decision(change.commit(), duplicate=True)
            body = self._snapshot_on_fill(account, filled)
            change.put(key, account, [self._snapshot_output(body, envelope)])
            return Decision(change.commit(), delivered=lambda: self._published(body))

    def _snapshot_on_fill(self, account: Account, filled: OrderFilled) -> PortfolioSnapshot:
        mark_to_market(account, self._view.prices)
        account.high_water_mark = max(
            account.high_water_mark, self._peaks.pop(account.account, account.high_water_mark)
        )
        return self._snapshot(account, SnapshotCause.FILL, filled.event_time)

    def _snapshot_on_marks(self, account: Account) -> PortfolioSnapshot:
        """Of a copy of the account, which is rolled to the market's day and never written."""
        clock = self._view.clock
        day = trading_day(clock)
        roll_day(account, day, self._view.end_before(day))
        account.high_water_mark = max(
            account.high_water_mark, self._peaks.get(account.account, account.high_water_mark)
        )
        body = self._snapshot(account, SnapshotCause.MARK, clock)
        self._peaks[account.account] = body.high_water_mark
        return body

    def _snapshot(self, account: Account, cause: SnapshotCause, at: int) -> PortfolioSnapshot:
        return snapshot(
            account, self._view.prices, cause, at, alarm_days=self._settings.delivery_alarm_days, rates=self._rates
        )

    async def _instrument(self, token: int) -> Instrument:
        found = self._registry.by_token(token)
        if found is None:
            await self._load()
            found = self._registry.by_token(token)
        if found is None:
            raise LookupError(f"No instrument has token {token}")
        return found

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
        body = self._snapshot_on_marks(account)
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
        metrics.PNL_DAY.labels(*labels).set(float(body.day_pnl))
        metrics.EQUITY.labels(*labels).set(float(body.equity))
        metrics.DRAWDOWN.labels(*labels).set(float(body.drawdown))
        self._show_positions(body)
        self._show_alarms(body)

    def _show_positions(self, body: PortfolioSnapshot) -> None:
        values = [float(one.quantity * one.mark) for one in body.positions]
        labels = (self._broker, body.account)
        metrics.EXPOSURE_GROSS.labels(*labels).set(sum(map(abs, values)))
        metrics.EXPOSURE_NET.labels(*labels).set(sum(values))
        metrics.POSITIONS_OPEN.labels(*labels).set(sum(one.quantity != 0 for one in body.positions))
        for strategy in {one.strategy for one in body.positions}:
            of_day = sum(float(one.day_pnl) for one in body.positions if one.strategy == strategy)
            metrics.STRATEGY_PNL.labels(self._broker, strategy).set(of_day)

    def _show_alarms(self, body: PortfolioSnapshot) -> None:
        kinds = [alarm.kind for alarm in body.alarms]
        for kind in AlarmKind:
            metrics.ACCOUNT_ALARMS.labels(self._broker, body.account, kind.value).set(kinds.count(kind))
        for alarm in body.alarms:
            if alarm not in self._alarms.get(body.account, ()):
                log.warning("account alarm", account=body.account, **msgspec.to_builtins(alarm))
        self._alarms[body.account] = body.alarms


def attach(worker: Worker) -> None:
    """Declare the stage on `worker`."""
    stage = PortfolioManager(worker)
    worker.consume(worker.topics.name(Topic.ORDERS_FILLED, worker.broker), stage.on_filled)
    worker.background("marks", stage.start)
    worker.background("snapshots", stage.publish_on_marks)
    worker.on_recovered(stage.forget)
