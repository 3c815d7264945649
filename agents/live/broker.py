"""A live broker for the engine: orders and cancels wait for their calls, the book is watched, one process runs it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
import structlog

from agents.events import Events
from agents.live.account import AccountView
from agents.live.breaker import Breaker
from agents.live.calls import Cancel, Place
from agents.live.conditions import Conditions
from agents.live.differences import Announcer
from agents.live.dispatcher import Dispatcher
from agents.live.exits import GuardedExits
from agents.live.figures import Figures
from agents.live.gate import Gate
from agents.live.journal import CallJournal, send_until_taken
from agents.live.own_triggers import OwnTriggers
from agents.live.poller import SILENT
from agents.live.preflight.checks import Checks
from agents.live.preflight.watch import Preflight
from agents.live.protection import Protector, Sight, strategy_options
from agents.live.reconciliation import Reconciliation
from agents.live.trigger_calls import TriggerCalls, TriggerWrites
from agents.live.watch import BookWatch
from agents.live.writes import DryRun, ZerodhaWrites
from brokers.zerodha.client import ZerodhaClient
from brokers.zerodha.mapping import BadRow, read_order, update_of
from brokers.zerodha.session import SessionState
from faust_app.runtime import metrics
from faust_app.runtime.app import Worker
from faust_app.runtime.consume import Record
from faust_app.runtime.exchange_clock import ExchangeClock
from faust_app.runtime.kite_session import endpoint, session_view
from faust_app.runtime.lease import Lease
from faust_app.runtime.order_budget import Grant, OrderBudget
from faust_app.runtime.reference_data import ReferenceData
from faust_app.runtime.sections import Execution
from faust_app.runtime.trading_state import TradingStateView, redis_client
from models.messages.envelope import Envelope
from models.messages.orders import CancelSubmitted, OrderPushed, OrderStatus, OrderSubmitted, OrderUpdate, PlannedOrder
from models.messages.protection import TriggerMessage
from models.messages.reconciliation import DifferencesAccepted, ReconciliationAsked
from models.messages.ticks import TickFrame
from tables.journal import Output
from tables.states import StateTable
from trading.accounting.account import Account
from trading.accounting.position import Marks
from trading.market.instruments import InstrumentRegistry
from trading.orders.state import OrderRecord

log = structlog.get_logger(__name__)
CHECK_SECONDS = 1.0
STOP_SECONDS = 8.0
PUSH = "push"
WITHDRAWN = "Cancelled before it was sent"


class LiveBroker:
    """Implements `agents.execution.Execution`, and what its own parts ask for."""

    def __init__(
        self,
        worker: Worker,
        orders: StateTable[OrderRecord],
        events: Events,
        registry: Callable[[], InstrumentRegistry],
        trading_state: TradingStateView,
        clock: ExchangeClock,
    ) -> None:
        config, broker = worker.settings, worker.broker
        self._account = config.account_key(broker)
        self._worker = worker
        self._orders = orders
        self._triggers = OwnTriggers(worker)
        self._registry = registry
        self._clock = clock
        self._by_tag: dict[str, str] = {}
        self._by_number: dict[str, str] = {}
        self._denials: set[asyncio.Task[None]] = set()
        self._reference = ReferenceData(config)
        self._session = session_view(config)
        self._client = ZerodhaClient(endpoint(config, self._session, broker))
        self._redis = redis_client(config)
        self._lease = Lease(config, self._redis, self._account)
        self._budget = OrderBudget(config, self._redis, self._account)
        self._conditions = Conditions(self._reference, self._session, self._lease, worker.state, broker=broker)
        self._books = AccountView(config, broker, registry)
        self._reconciliation = self._comparisons()
        checks = Checks(config, broker, self._client, self._session, self._loaded, self._reconciliation.latest)
        self._preflight = Preflight(checks.steps(), worker.state, broker=broker)
        breaker = Breaker(time.monotonic)
        self._gate = self._last_look(trading_state, breaker)
        self._journal = CallJournal(
            worker.publisher, events, broker=broker, stage=worker.stage, group=self.group, now=clock.seconds
        )
        is_dry = config.brokers[broker].execution is Execution.DRY_RUN
        writes: DryRun | ZerodhaWrites = DryRun() if is_dry else ZerodhaWrites(broker, self._client)
        self._dispatcher = Dispatcher(
            writes, self, self, self._gate.refusal, breaker, now=clock.seconds, uncertain=self._doubt
        )
        self._watch = self._book_watch()
        self._protector = self._protection(writes, breaker)
        self._exits = GuardedExits(self._protector, self._resume, broker=broker)
        self._figures = Figures(self._records, self._budget, self._session, breaker, clock, broker=broker)
        trading_state.on_halt(self._dispatcher.drained, self._unanswered)
        self._run_beside(worker)

    def _comparisons(self) -> Reconciliation:
        config, broker = self._worker.settings, self._worker.broker
        announcer = Announcer(
            self._worker.topics,
            partial(send_until_taken, self._worker.publisher),
            broker=broker,
            account=self._account,
            source=self._worker.stage,
        )
        return Reconciliation(
            self._client,
            self,
            announcer,
            partial(self._reference.load_acceptances, self._account),
            broker=broker,
            now=self._clock.seconds,
            every_seconds=config.brokers[broker].reconcile_seconds,
        )

    def _last_look(self, trading_state: TradingStateView, breaker: Breaker) -> Gate:
        broker = self._worker.broker
        return Gate(
            state_of=lambda strategy: trading_state.state_for(broker, strategy),
            session=self._session,
            lease=self._lease,
            breaker=breaker,
            disagreement=self._reconciliation.refusal,
            is_stored=lambda: self._conditions.is_stored,
            now=self._clock.wall,
            most_age_seconds=self._worker.settings.brokers[broker].most_age_seconds,
            registry=self._registry,
            preflight=self._preflight,
        )

    def _book_watch(self) -> BookWatch:
        return BookWatch(
            self._client,
            self._records,
            self.report,
            self._dispatcher.offer,
            self._worker.state,
            broker=self._worker.broker,
            now=self._clock.seconds,
        )

    def _run_beside(self, worker: Worker) -> None:
        for name, work in (
            ("calls", self._dispatcher.run),
            ("lease", self._lease.run),
            ("order book", self._watch.run),
            ("account", self._books.reader.run),
            ("last prices", self._books.marks.run),
            ("reconciliation", self._reconciliation.run),
            ("protective stops", self._protector.run),
            ("conditions", self._conditions.run),
            ("figures", self._figures.run),
            ("preflight", self._check_before),
        ):
            worker.background(name, work)
        worker.follow_control(self._on_control)
        worker.on_stopping(self._stop)

    def _on_control(self, envelope: Envelope[Any]) -> None:
        """An operator asks for a comparison, or has accepted what differs."""
        body = envelope.data
        if isinstance(body, (ReconciliationAsked, DifferencesAccepted)) and body.account == self._account:
            if isinstance(body, DifferencesAccepted):
                self._reconciliation.accepted()
            else:
                self._reconciliation.look(body.number)

    def orders(self) -> Mapping[str, OrderRecord]:
        """The reconciliation's view of our orders: by tag."""
        return {record.order.tag: record for record in self._records()}

    def account(self) -> Account | None:
        """The reconciliation's view of our account."""
        return self._books.at(self._clock.second) if self._clock.is_known else None

    def prices(self) -> Marks:
        """The reconciliation's view of the market."""
        return self._books.prices

    def resumed(self) -> None:
        """The socket is connected again: updates may have been missed."""
        self._watch.look()
        self._reconciliation.look()

    async def _loaded(self) -> InstrumentRegistry:
        return self._registry()

    def _protection(self, writes: TriggerWrites, breaker: Breaker) -> Protector:
        config, broker = self._worker.settings, self._worker.broker
        journal, offer, now = self._journal, self._dispatcher.offer, self._clock.seconds
        calls = TriggerCalls(writes, journal, offer, self._may_call, breaker, broker=broker, now=now)
        sight = Sight(
            account=self.account,
            orders=self._recorded,
            triggers=self._triggers.standing,
            options=partial(strategy_options, self._reference),
            find=lambda token: self._registry().by_token(token),
            may_call=self._may_call,
        )
        return Protector(
            self._client,
            calls,
            journal,
            sight,
            breaker,
            self._worker.state,
            broker=broker,
            limit_percent=config.brokers[broker].stop_limit_percent,
            now=now,
            adopted=self._watch.look,
        )

    def _may_call(self) -> bool:
        """True for the account's runner with a valid session."""
        return bool(self._lease.value) and self._session.state is SessionState.VALID

    def _recorded(self) -> Iterator[OrderRecord]:
        """Orders that are recorded and told, without reading the whole table."""
        rows = (self._orders.row(order_id) for order_id in self._by_tag.values())
        return (row[1] for row in rows if row is not None)

    def _doubt(self) -> None:
        self._watch.look()

    def _unanswered(self) -> list[str]:
        """Orders whose calls have not ended, or have had no answer."""
        silent = [one.order.order_id for one in self._records() if one.attempted_at and one.status in SILENT]
        return list(dict.fromkeys([*self._dispatcher.in_flight, *silent]))

    def _records(self) -> Iterator[OrderRecord]:
        return (record for _, record in self._orders.states())

    def group(self, token: int) -> str:
        """Co-location group of an instrument."""
        instrument = self._registry().by_token(token)
        return str(token) if instrument is None else instrument.co_location_group

    def forget(self) -> None:
        """Partitions moved: what was not sent waits again."""
        self._dispatcher.forget()
        self._journal.forget()
        self._by_tag.clear()
        self._by_number.clear()
        self._triggers.forget()
        self._protector.forget()
        self._exits.forget()
        for order_id, _ in self._orders.states():
            self.noted(order_id)
        self._watch.look()

    def remember(self, partition: int, frame: TickFrame, raw: bytes) -> None:
        """Frames move the clock, which is the engine's, and the last prices."""
        self._protector.note_prices(frame)

    def on_frame(self, record: Record, frame: TickFrame) -> list[Output]:
        """Frames move the clock, which is the engine's, and the last prices."""
        self._protector.note_prices(frame)
        return []

    def place(self, record: Record, known: OrderRecord, cause: Envelope[OrderSubmitted]) -> list[Output]:
        """Nothing yet: the call waits for its turn once the record is stored."""
        return []

    def cancel(self, record: Record, body: CancelSubmitted) -> list[Output]:
        """Nothing yet: the call waits for its turn once the wish is stored, and again until the order has ended."""
        return []

    def on_trigger(self, record: Record, body: TriggerMessage) -> list[Output]:
        """Keep which triggers are ours."""
        return self._triggers.keep(record, body)

    def noted_trigger(self, message_id: str) -> None:
        """Whoever told of it may go on."""
        self._journal.marked(message_id)

    def read(self, pushed: OrderPushed) -> OrderUpdate | None:
        """By the order's tag, or the number of one without; of orders of others the books are asked."""
        try:
            order = read_order(msgspec.json.decode(pushed.raw, type=dict[str, Any]))
        except (BadRow, msgspec.MsgspecError, RecursionError) as error:
            metrics.BROKER_ROWS_UNREADABLE.labels(self._worker.broker).inc()
            log.warning("order_update_unreadable", error=str(error))
            return None
        order_id = self._by_tag.get(order.tag) or self._by_number.get(order.broker_order_id)
        if order_id is None:
            self._watch.look()
            self._protector.look()  # it may be the order of a trigger
            return None
        return update_of(order, order_id, PUSH)

    def noted(self, order_id: str) -> None:
        """Let what a stored record asks for wait for its turn."""
        row = self._orders.row(order_id)
        if row is not None:
            self._index(row[1])
        if row is None or not row[1].is_open or row[1].held:
            return
        known = row[1]
        if known.cancel_wanted and known.broker_order_id:
            self._dispatcher.offer(Cancel(order_id, known.broker_order_id, known.order.frame_id))
        elif known.attempted_at:
            return
        elif not known.cancel_wanted:
            self._offer(known.order)
        elif self._dispatcher.withdraw(order_id) or order_id not in self._dispatcher.in_flight:
            self._deny(known, WITHDRAWN)

    def _index(self, known: OrderRecord) -> None:
        """By what the broker calls it; whoever waits for its mark goes on. Exits and fills may need another trigger."""
        self._by_tag[known.order.tag] = known.order.order_id
        if known.broker_order_id:
            self._by_number[known.broker_order_id] = known.order.order_id
        if known.attempted_at:
            self._journal.marked(known.order.order_id)
        if known.order.reduces or known.filled_quantity:
            self._protector.look()

    def _offer(self, order: PlannedOrder) -> None:
        if not self._exits.holds_back(order):
            self._dispatcher.offer(Place(order))

    def _resume(self, order: PlannedOrder, refusal: str) -> None:
        """An exit has waited for its position's trigger."""
        row = self._orders.row(order.order_id)
        if row is not None and refusal and row[1].is_open and not row[1].attempted_at:
            self._deny(row[1], refusal)
        else:
            self.noted(order.order_id)

    def _deny(self, known: OrderRecord, reason: str) -> None:
        update = OrderUpdate(
            order_id=known.order.order_id,
            broker_order_id="",
            status=OrderStatus.DENIED_LATE,
            cumulative_quantity=0,
            average_price=known.average_price,
            reason=reason,
            event_time=self._clock.second,
            reporter="call",
        )
        task = asyncio.create_task(self.report(update))
        self._denials.add(task)
        task.add_done_callback(self._denials.discard)

    async def attempted(self, order: PlannedOrder) -> None:
        """The dispatcher's mark."""
        await self._journal.attempted(order)

    async def report(self, update: OrderUpdate) -> None:
        """The dispatcher's and the watch's report; of an order that is not here any more, nothing."""
        row = self._orders.row(update.order_id)
        if row is None:
            log.warning("report_of_an_order_elsewhere", order_id=update.order_id, status=update.status.value)
            return
        await self._journal.report(row[1].order, update)

    async def take(self, *, is_exit: bool) -> Grant:
        """The dispatcher's budget."""
        return await self._budget.take(self._lease.value, is_exit=is_exit, now=datetime.now(UTC))

    def take_locally(self) -> Grant:
        """The dispatcher's budget while Redis is away."""
        return self._budget.take_locally()

    async def _check_before(self) -> None:
        """What has to be so before anything is opened, once there are instruments."""
        while not len(self._registry()):
            await asyncio.sleep(CHECK_SECONDS / 10)
        await self._preflight.run()

    async def _stop(self) -> None:
        """Calls being made end; then nothing is sent."""
        self._exits.forget()
        await self._dispatcher.stop(STOP_SECONDS)
        self._client.close()
        await self._redis.aclose()
