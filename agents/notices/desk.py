"""Brings together what is heard, what is decided and who is told. Nothing here stops or holds up the monitor."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import structlog

from agents.notices.alarms import AlarmsWatch
from agents.notices.denials import DenialsWatch
from agents.notices.differences import DifferencesWatch
from agents.notices.feed import FeedWatch
from agents.notices.fills import FillsWatch
from agents.notices.halts import HaltsWatch
from agents.notices.loss import LossWatch
from agents.notices.probes import LimitsProbe, PagesProbe, ReportProbe, StatesProbe
from agents.notices.quiet import Quiet, Watch
from agents.notices.told import Told
from agents.notices.unknown import UnknownWatch
from agents.notices.workers import WorkersWatch
from faust_app.runtime.app import Worker
from faust_app.runtime.broadcast import TopicReader
from faust_app.runtime.codec import decode_any
from faust_app.runtime.errors import DecodeError
from faust_app.runtime.exchange_clock import ExchangeClock
from faust_app.runtime.notice_services import load_services
from faust_app.runtime.notices import Notice, NoticeKind
from faust_app.runtime.notifier import Notifier
from faust_app.runtime.settings import Settings
from faust_app.runtime.topics import Topic, Topics
from faust_app.runtime.trading_state import redis_client
from models.messages.control import TradingStateChanged
from models.messages.envelope import Envelope
from models.messages.market import Marks
from models.messages.orders import OrderFailed, OrderFilled, OrderStatus, OrderUpdate
from models.messages.portfolio import PortfolioSnapshot
from models.messages.reconciliation import ReconciliationDifference, ReconciliationRound
from models.messages.signals import DeniedSignal

log = structlog.get_logger(__name__)
TICK_SECONDS = 1.0
LIMITS_SECONDS = 10.0
PAGES_SECONDS = 5.0
REPORT_SECONDS = 15.0
DRAIN_SECONDS = 6.0
MILLISECONDS = 1_000
K = NoticeKind
TOPICS = {
    K.FILLS: (Topic.ORDERS_FILLED,),
    K.DENIALS: (Topic.SIGNALS_REJECTED,),
    K.LOSS: (Topic.PNL_SNAPSHOTS,),
    K.ALARMS: (Topic.PNL_SNAPSHOTS,),
}
AT_THE_BROKER = {  # what an account that is simulated never has
    K.UNKNOWN: (Topic.ORDERS_UPDATES, Topic.ORDERS_FILLED, Topic.ORDERS_FAILED),
    K.DIFFERENCES: (Topic.RECONCILIATION,),
}


def is_wanted(settings: Settings) -> bool:
    """True when people are to be told; a replay tells nobody."""
    return settings.notices.enabled and not settings.namespace


class NoticeDesk:
    """The monitor's notices. `is_open` says whether any segment trades."""

    def __init__(
        self,
        settings: Settings,
        clock: ExchangeClock,
        is_open: Callable[[], bool],
        now: Callable[[], float] = time.time,
    ) -> None:
        config = settings.notices
        self._settings = settings
        self._now = now
        self._kinds = frozenset(config.kinds)
        self._fills = FillsWatch(config.fills_seconds, config.quiet_seconds)
        self._denials = DenialsWatch(config.denials_per_minute)
        self._halts = HaltsWatch()
        self._differences = DifferencesWatch(config.fills_seconds, config.quiet_seconds)
        self._feed = FeedWatch(config.feed_silent_seconds, is_open, now())
        self._alarms = AlarmsWatch(config.fills_seconds, config.quiet_seconds)
        self._loss = LossWatch()
        self._workers = WorkersWatch()
        self._unknown = {
            broker: UnknownWatch(settings.account_key(broker), config.unknown_seconds)
            for broker in settings.enabled_brokers
        }
        self._watches: dict[Watch, NoticeKind] = {
            self._fills: K.FILLS,
            self._denials: K.DENIALS,
            self._halts: K.HALTS,
            self._differences: K.DIFFERENCES,
            self._feed: K.FEED,
            self._alarms: K.ALARMS,
            self._loss: K.LOSS,
            self._workers: K.WORKERS,
            **dict.fromkeys(self._unknown.values(), K.UNKNOWN),
        }
        self._quiet = Quiet(config.quiet_seconds)
        self._ready: deque[Notice] = deque()  # from probes, and from watches
        self._redis = redis_client(settings)
        self._told = Told(settings, self._redis)
        self._clock = clock
        self.notifier: Notifier

    def attach(self, worker: Worker) -> None:
        """Read, look and tell in the background of the monitor."""
        self.notifier = Notifier(partial(load_services, self._settings.notices), worker.state)
        worker.background("notifier", self.notifier.run)
        for reader in self.readers():
            worker.background("notices", reader.run)
        if K.HALTS in self._kinds:
            worker.follow_control(lambda envelope: self._hear(envelope, self._now()))
        worker.background("notices", self.run)
        worker.on_stopping(self.stop)

    def readers(self) -> Iterator[TopicReader]:
        """Of every topic that an enabled kind needs, from its end on."""
        names = Topics(self._settings)
        for broker in self._settings.enabled_brokers:
            wanted = {topic for kind in self._kinds for topic in TOPICS.get(kind, ())}
            if self._settings.brokers[broker].execution.is_at_the_broker:
                wanted |= {topic for kind in self._kinds for topic in AT_THE_BROKER.get(kind, ())}
            for topic in sorted(wanted):
                kafka = self._settings.kafka
                yield TopicReader(kafka, names.name(topic, broker), self._on_message, partitions=kafka.partitions)

    def _on_message(self, message: Any) -> None:
        try:
            envelope = decode_any(message.value)
        except DecodeError:
            return  # whoever consumes the topic puts it among the dead letters
        self._hear(envelope, message.timestamp / MILLISECONDS)

    def _hear(self, envelope: Envelope[Any], at: float) -> None:
        try:
            self.hear(envelope, at)
        except Exception as error:
            log.error("notice_event_failed", type=envelope.type, error=f"{type(error).__name__}: {error}")

    def hear(self, envelope: Envelope[Any], at: float) -> None:
        """An event; `at` is when Kafka got it."""
        now = self._now()
        match envelope.data:
            case OrderFilled() as filled:
                self._fills.hear(filled, now)
                self._unknown[envelope.broker].hear(filled.order.order_id, OrderStatus.FILLED, at)
            case OrderFailed() as failed:
                self._unknown[envelope.broker].hear(failed.order.order_id, failed.outcome, at)
            case OrderUpdate() as update:
                self._unknown[envelope.broker].hear(update.order_id, update.status, at)
            case DeniedSignal() as denied:
                self._denials.hear(denied, at)
            case PortfolioSnapshot() as snapshot:
                self._loss.hear(snapshot)
                self._alarms.hear(snapshot)
            case ReconciliationDifference() as difference:
                self._differences.hear(difference, now)
            case ReconciliationRound() as told:
                self._differences.hear_round(told)
            case TradingStateChanged() as changed:
                self._halts.hear(changed, at)

    def hear_marks(self, marks: Marks) -> None:
        """The market's last prices."""
        self._feed.hear(marks, self._now())

    async def run(self) -> None:
        """Decide and look around until cancelled."""
        now = self._now
        probes: list[tuple[NoticeKind, float, Callable[[], Awaitable[None]]]] = [
            (K.HALTS, TICK_SECONDS, StatesProbe(self._settings, self._redis, self._halts, now).look),
            (K.LOSS, LIMITS_SECONDS, LimitsProbe(self._settings, self._loss).look),
            (K.WORKERS, PAGES_SECONDS, PagesProbe(self._settings, self._workers, self._alarms, now).look),
            (K.REPORT, REPORT_SECONDS, ReportProbe(self._settings, self._clock, self._ready.append, now).look),
        ]
        shown = {K.WORKERS: {K.WORKERS, K.ALARMS}}
        wanted = [(seconds, look) for kind, seconds, look in probes if shown.get(kind, {kind}) & self._kinds]
        try:
            await asyncio.gather(_every(TICK_SECONDS, self.tick), *(_every(*one) for one in wanted))
        finally:
            await self._redis.aclose()

    async def tick(self, *, is_last: bool = False) -> None:
        """Tell what is due now."""
        now = self._now()
        for watch, kind in self._watches.items():
            if kind in self._kinds:
                self._ready.extend(watch.due(now, is_last=is_last))
        while self._ready:
            await self._tell(self._ready.popleft(), now)
        for held in self._quiet.due(now):
            self.notifier.tell(held)

    async def _tell(self, notice: Notice, now: float) -> None:
        if notice.once and not await self._told.is_first(notice.once):
            return
        passed = self._quiet.admit(notice, now)
        if passed is not None:
            self.notifier.tell(passed)

    async def stop(self) -> None:
        """Tell what has been gathered, and wait for it, but not for long."""
        try:
            await self.tick(is_last=True)
        except Exception as error:
            log.error("notice_look_failed", what="the last one", error=f"{type(error).__name__}: {error}")
        await self.notifier.drain(DRAIN_SECONDS)


async def _every(seconds: float, look: Callable[[], Awaitable[None]]) -> None:
    """Look again and again; what fails is looked at the next time."""
    while True:
        try:
            await look()
        except Exception as error:
            log.warning("notice_look_failed", what=look.__qualname__, error=f"{type(error).__name__}: {error}"[:300])
        await asyncio.sleep(seconds)
