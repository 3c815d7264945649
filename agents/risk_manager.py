"""Risk manager: every signal is accepted with its orders or denied with a code; fills and failures free exposure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import structlog
from msgspec.structs import replace

from agents.events import Events
from agents.exits import Exits
from agents.limits import LimitsBook
from agents.order_lines import log_decision
from agents.reference import Reference
from faust_app.runtime import metrics
from faust_app.runtime.app import Worker
from faust_app.runtime.codec import decode, decode_one_of
from faust_app.runtime.consume import Decision, Record
from faust_app.runtime.market_view import MarketView
from faust_app.runtime.topics import Topic
from faust_app.runtime.trading_state import TradingStateView
from models.messages import ids
from models.messages.envelope import Envelope
from models.messages.orders import OrderFailed, OrderFilled
from models.messages.reconciliation import ReconciliationDifference, ReconciliationRound
from models.messages.signals import AcceptedSignal, DeniedSignal, ExitsDue, Signal, SquareOffDue
from tables import exposure as exposure_table
from tables.journal import Output
from trading.accounting.account import mark_to_market, new_account
from trading.market.instruments import Instrument, InstrumentRegistry
from trading.market.sessions import phase, trading_day
from trading.reconciliation.kinds import blocking_differences
from trading.risk.exposure import Exposure, apply_failed, apply_fill, reserve, roll_day
from trading.risk.groups import Leg, collect, decide_together
from trading.risk.market import MarketPicture
from trading.risk.square_off import square_offs

log = structlog.get_logger(__name__)


class RiskManager:
    """State of the stage: exposure by account in the table, limits and marks in memory."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._broker = worker.broker
        self._start_cash = worker.settings.brokers[worker.broker].start_cash
        self._events = Events(worker.topics, worker.stage, worker.broker)
        self._table = exposure_table.exposure_table(worker.table(exposure_table.NAME, exposure_table.HELP))
        self._reference = Reference(worker)
        self._registry = InstrumentRegistry(())
        self._view = MarketView(worker.settings, self._registry)
        self._trading_state = TradingStateView(worker.settings, worker=f"{worker.stage}.{worker.broker}")
        self._account = worker.settings.account_key(worker.broker)
        self._limits = LimitsBook(self._reference, self._account, worker.settings.risk.model_dump())
        self._exits = Exits(worker, self._trading_state, self._view, self._find, self._known)

    async def load(self) -> None:
        """Instruments and limits, before the first message."""
        found = await self._reference.load("instruments", self._reference.data.load_instruments)
        self._registry = self._view.registry = InstrumentRegistry(found)
        await self._limits.ready()

    def _find(self, token: int) -> Instrument | None:
        return self._registry.by_token(token)

    def _known(self) -> Exposure | None:
        row = self._table.row(self._account)
        return None if row is None else row[1]

    async def forget(self) -> None:
        """Partitions moved: read exposures from the table again."""
        self._table.forget()
        self._exits.recovered()

    async def on_signal(self, record: Record) -> Decision:
        """Accept or deny one signal, or raise the exits that are due."""
        envelope = decode_one_of((Signal, SquareOffDue, ExitsDue), record.value)
        if isinstance(envelope.data, SquareOffDue):
            return await self._leave(record, envelope)
        if isinstance(envelope.data, ExitsDue):
            return await self._raise_exits(record, envelope)
        signal = envelope.data
        await self._ready(signal.instrument_token)
        with self._table.transaction(record.source, record.offset) as change:
            change.remember("signal", signal.signal_id, trading_day(signal.origin.event_time).isoformat())
            if change.applied(signal.account):
                return Decision(change.commit(), duplicate=True)
            if self._table.remembers("signal", signal.signal_id):
                return Decision(duplicate=True)
            exposure = self._exposure(change.get(signal.account), signal.account, signal.origin.event_time)
            legs = [self._leg(one, exposure) for one in collect(exposure, signal)]
            results = decide_together(legs, exposure, self._limits.of_account) if legs else []
            outputs = []
            for leg, result in zip(legs, results, strict=True):
                if isinstance(result, AcceptedSignal) and leg.instrument is not None:
                    reserve(exposure, result, leg.instrument)
                # legs of a group come from one frame: what caused this signal caused the others
                outputs += self._outputs(result, replace(envelope, id=leg.signal.signal_id, data=leg.signal))
            change.put(signal.account, exposure, outputs)
            return Decision(change.commit(), delivered=lambda: self._count(results))

    async def _leave(self, record: Record, envelope: Envelope[SquareOffDue]) -> Decision:
        """Raise the exits of intraday positions that are due; within a minute they are the same, ids included."""
        due = envelope.data
        await self._ready(0)
        with self._table.transaction(record.source, record.offset) as change:
            if change.applied(due.account):
                return Decision(change.commit(), duplicate=True)
            exposure = self._exposure(change.get(due.account), due.account, due.clock)
            asked = square_offs(
                exposure.account,
                due.clock,
                self._exits.begins,
                self._view.prices,
                run_id=due.run_id,
                broker=self._broker,
                received_ns=due.received_ns,
            )
            exits = [one for one in asked if self._partition(one.instrument_token) == due.partition]
            change.put(due.account, exposure, [self._exit(one, envelope) for one in exits])
            return Decision(change.commit(), delivered=lambda: self._tell(exits))

    async def _raise_exits(self, record: Record, envelope: Envelope[ExitsDue]) -> Decision:
        """Raise exits until positions are flat; they are signals to be decided like all others."""
        due = envelope.data
        await self._ready(0)
        raised: list[Signal] = []

        def change_it(exposure: Exposure) -> list[Output]:
            raised.extend(self._exits.raised(exposure, due))
            return [self._exit(one, envelope) for one in raised]

        return self._apply(record, due.account, due.clock, change_it, lambda: self._tell(raised))

    def _partition(self, token: int) -> int:
        """Of the instrument's ticks; the first one speaks for instruments nobody knows."""
        instrument = self._registry.by_token(token)
        return 0 if instrument is None else self._worker.topics.partition(instrument.co_location_group)

    def _exit(self, signal: Signal, cause: Envelope[Any]) -> Output:
        return self._events.by_account(
            Topic.SIGNALS_RAW,
            signal,
            message_id=signal.signal_id,
            cause=cause,
            account=signal.account,
            at=signal.origin.event_time,
        )

    def _tell(self, exits: Iterable[Signal]) -> None:
        for one in exits:
            log.info("leaving", strategy=one.strategy, instrument=one.instrument, reason=one.reason)

    def _leg(self, signal: Signal, exposure: Exposure) -> Leg:
        instrument = self._registry.by_token(signal.instrument_token)
        picture = self._picture(signal, instrument, exposure.differences_of(signal.instrument))
        return Leg(signal, picture, instrument, self._limits.of_strategy(signal.strategy))

    def _picture(self, signal: Signal, instrument: Instrument | None, differences: int) -> MarketPicture:
        at = signal.origin.event_time
        return MarketPicture(
            clock=max(self._view.clock, signal.origin.clock) if self._same_run(signal) else signal.origin.clock,
            phase=phase(instrument, at),
            trading_state=self._trading_state.state_for(self._broker, signal.strategy),
            square_off=self._exits.begins(signal.instrument_token, at),
            open_differences=differences,
        )

    def _same_run(self, signal: Signal) -> bool:
        return self._view.run_id == signal.origin.run_id

    def _outputs(self, result: AcceptedSignal | DeniedSignal, cause: Envelope[Signal]) -> list[Output]:
        """The decision, and for a signal that was accepted in part the denial of the rest."""
        decision_id, rest_id = ids.decision_id(result.signal_id), ids.rest_id(result.signal_id)
        if isinstance(result, DeniedSignal):
            return [self._output(Topic.SIGNALS_REJECTED, result, decision_id, cause)]
        accepted = self._output(Topic.SIGNALS_VALIDATED, result, decision_id, cause)
        if result.rest is None:
            return [accepted]
        return [accepted, self._output(Topic.SIGNALS_REJECTED, result.rest, rest_id, cause)]

    def _output(
        self, topic: Topic, body: AcceptedSignal | DeniedSignal, message_id: str, cause: Envelope[Signal]
    ) -> Output:
        return self._events.by_account(
            topic, body, message_id=message_id, cause=cause, account=body.account, at=cause.data.origin.event_time
        )

    def _count(self, results: Iterable[AcceptedSignal | DeniedSignal]) -> None:
        for result in results:
            log_decision(result)
            denied = result if isinstance(result, DeniedSignal) else result.rest
            if isinstance(result, AcceptedSignal):
                metrics.SIGNALS_ACCEPTED.labels(self._broker).inc()
            if denied is not None:
                metrics.SIGNALS_DENIED.labels(self._broker, denied.code).inc()

    async def on_filled(self, record: Record) -> Decision:
        """A fill turns reserved exposure into a position."""
        envelope = decode(OrderFilled, record.value)
        filled = envelope.data
        await self._ready(filled.order.instrument_token)
        instrument = self._registry.by_token(filled.order.instrument_token)
        if instrument is None:
            raise LookupError(f"No instrument has token {filled.order.instrument_token}")

        def change_it(exposure: Exposure) -> list[Output]:
            apply_fill(exposure, filled, instrument)
            self._exits.after_filled(exposure, filled)
            return []

        return self._apply(record, filled.order.account, filled.event_time, change_it)

    async def on_failed(self, record: Record) -> Decision:
        """A failed order frees what it had reserved; an exit that was still wanted is followed by another."""
        envelope = decode(OrderFailed, record.value)
        failed = envelope.data

        def change_it(exposure: Exposure) -> list[Output]:
            apply_failed(exposure, failed)
            return [self._exit(one, envelope) for one in self._exits.after_failed(exposure, failed)]

        return self._apply(record, failed.order.account, failed.event_time, change_it)

    async def on_reconciliation(self, record: Record) -> Decision:
        """What differs from the broker now, of which entries have to wait for some."""
        envelope = decode_one_of((ReconciliationDifference, ReconciliationRound), record.value)
        body = envelope.data
        if isinstance(body, ReconciliationDifference):
            return Decision()  # the round that follows has all of them

        def replace_differences(exposure: Exposure) -> list[Output]:
            exposure.differences = blocking_differences(body.open)
            return []

        return self._apply(record, body.account, body.at, replace_differences)

    def _apply(
        self,
        record: Record,
        account: str,
        at: int,
        change_it: Callable[[Exposure], list[Output]],
        delivered: Callable[[], None] | None = None,
    ) -> Decision:
        """Change an exposure; it recognises what it has seen before."""
        with self._table.transaction(record.source, record.offset) as change:
            if change.applied(account):
                return Decision(change.commit(), duplicate=True)
            exposure = self._exposure(change.get(account), account, at)
            change.put(account, exposure, change_it(exposure))
            return Decision(change.commit(), delivered=delivered)

    def _exposure(self, found: Exposure | None, account: str, at: int) -> Exposure:
        """In the day of `at`, at the marks of now."""
        exposure = found or Exposure(account=new_account(account, self._start_cash))
        day = trading_day(at)
        if roll_day(exposure, day, self._view.end_before(day)):
            self._table.forget_days_before(day.isoformat())
        mark_to_market(exposure.account, self._view.prices)
        return exposure

    async def _ready(self, token: int) -> None:
        await self._limits.ready()
        if self._registry.by_token(token) is None and not len(self._registry):
            await self.load()

    async def follow_trading_state(self) -> None:
        """Keep the trading state current, and its metric."""
        self._trading_state.on_change(self._show_state)
        await self._trading_state.run()

    def _show_state(self) -> None:
        state = self._trading_state.state_for(self._broker, None)
        metrics.TRADING_STATE.labels(self._broker).set(state.severity)


def attach(worker: Worker) -> None:
    """Declare the stage on `worker`."""
    stage = RiskManager(worker)
    name, broker = worker.topics.name, worker.broker
    worker.consume(name(Topic.SIGNALS_RAW, broker), stage.on_signal)
    worker.consume(name(Topic.ORDERS_FILLED, broker), stage.on_filled)
    worker.consume(name(Topic.ORDERS_FAILED, broker), stage.on_failed)
    worker.consume(name(Topic.RECONCILIATION, broker), stage.on_reconciliation)
    worker.background("reference", stage.load)
    worker.background("marks", stage._view.reader.run)
    worker.background("trading state", stage.follow_trading_state)
    worker.background("limits", stage._limits.follow)
    worker.background("exits", stage._exits.run)
    worker.follow_control(stage._limits.on_control)
    worker.on_recovered(stage.forget)
