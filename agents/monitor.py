"""Monitor: what can only be seen from outside: lag per group, dead letters, dependencies, market phase, disk."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable

import structlog

from agents.lag import LagProbe
from agents.notices.desk import NoticeDesk, is_wanted
from faust_app.runtime import metrics
from faust_app.runtime.app import Worker
from faust_app.runtime.exchange_clock import ExchangeClock
from faust_app.runtime.market_view import MarketView
from faust_app.runtime.postgres import connection
from faust_app.runtime.trading_state import redis_client
from models.messages.market import Marks
from trading.market.instruments import InstrumentRegistry
from trading.market.sessions import Phase, next_open, phase_at

log = structlog.get_logger(__name__)
PROBE_SECONDS = 1.0
ANSWER_SECONDS = 5.0
SEGMENTS = ("NSE", "NFO")


class Monitor:
    """Probes everything once a second; publishes metrics."""

    def __init__(self, worker: Worker) -> None:
        self._settings = worker.settings
        self.view = MarketView(worker.settings, InstrumentRegistry(()))
        self.view.on_marks(self._hear)
        # The exchange's, not a simulated account's: it goes on when the feed is dead.
        self.clock = ExchangeClock(is_simulated=False, is_sandbox=worker.settings.kite.root is not None)
        self._redis = redis_client(worker.settings)
        self._lag: LagProbe | None = None

    async def run(self) -> None:
        """Probe until cancelled; a dependency that does not answer is a metric, not an error."""
        try:
            while True:
                await asyncio.gather(
                    self._probe("kafka", self._probe_kafka),
                    self._probe("postgres", self._probe_postgres),
                    self._probe("redis", self._probe_redis),
                )
                self._show_market()
                self._show_disk()
                metrics.LAST_PROBE.set(time.time())
                await asyncio.sleep(PROBE_SECONDS)
        finally:
            await self._close()

    async def _probe(self, name: str, probe: Callable[[], Awaitable[None]]) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await probe()
        except Exception as error:
            metrics.DEPENDENCY_UP.labels(name).set(0)
            log.warning("dependency_down", dependency=name, error=f"{type(error).__name__}: {error}"[:300])
        else:
            metrics.DEPENDENCY_UP.labels(name).set(1)
            metrics.DEPENDENCY_SECONDS.labels(name).set(time.monotonic() - began)

    async def _probe_kafka(self) -> None:
        if self._lag is None:
            self._lag = await LagProbe.connect(self._settings)
        await self._lag.look()

    async def _probe_postgres(self) -> None:
        async with connection(self._settings) as opened:
            await opened.execute("select 1")

    async def _probe_redis(self) -> None:
        await self._redis.ping()

    def _hear(self, marks: Marks) -> None:
        self.clock.hear(marks.clock)

    def is_open(self) -> bool:
        """True while any segment trades continuously, by the exchange's clock."""
        if not self.clock.is_known:
            return False
        return any(phase_at(segment, self.clock.second) is Phase.CONTINUOUS for segment in SEGMENTS)

    def _show_market(self) -> None:
        if not self.clock.is_known:
            return
        now = self.clock.second
        metrics.EXCHANGE_TIME.set(now)
        for segment in SEGMENTS:
            current = phase_at(segment, now)
            metrics.MARKET_OPEN.labels(segment).set(int(current is Phase.CONTINUOUS))
            for phase in Phase:
                metrics.MARKET_PHASE.labels(segment, phase.value).set(int(phase is current))
        metrics.MARKET_OPENS.set(next_open(None, now))

    def _show_disk(self) -> None:
        folder = self._settings.worker.data_directory.absolute()
        volume = next(one for one in (folder, *folder.parents) if one.exists())
        usage = shutil.disk_usage(volume)
        metrics.DISK_FREE.set(usage.free)
        metrics.DISK_TOTAL.set(usage.total)

    async def _close(self) -> None:
        if self._lag is not None:
            await self._lag.close()
        await self._redis.aclose()


def attach(worker: Worker) -> None:
    """Declare the stage on `worker`: it reads without a group and sends nothing to Kafka."""
    worker.app.producer_only = True
    stage = Monitor(worker)
    worker.background("marks", stage.view.reader.run)
    worker.background("probes", stage.run)
    if is_wanted(worker.settings):
        desk = NoticeDesk(worker.settings, stage.clock, stage.is_open)
        stage.view.on_marks(desk.hear_marks)
        desk.attach(worker)
