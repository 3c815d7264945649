"""What the monitor looks at for notices: trading states in Redis, limits and the day in PostgreSQL, workers' pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import date

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from agents.notices.alarms import EXITS_GIVEN_UP, AlarmsWatch, Counters
from agents.notices.halts import HaltsWatch
from agents.notices.loss import LossWatch
from agents.notices.report import due_day, report_notice
from agents.notices.workers import WorkersWatch
from faust_app.runtime.day_report import read_report
from faust_app.runtime.exchange_clock import ExchangeClock
from faust_app.runtime.metrics import PREFIX
from faust_app.runtime.notices import Notice
from faust_app.runtime.pages import read_pages
from faust_app.runtime.reference_data import ReferenceData
from faust_app.runtime.settings import Settings
from faust_app.runtime.trading_state import TradingStateStore
from trading.risk.limits import Limits

STARTED = "process_start_time_seconds"
GIVEN_UP = f"{PREFIX}exits_given_up_total"
ORDER_ALARMS = f"{PREFIX}order_alarms_total"
PAGE_SECONDS = 2.0


class StatesProbe:
    """Trading states. Raises RedisError."""

    def __init__(self, settings: Settings, redis: Redis, halts: HaltsWatch, now: Callable[[], float]) -> None:
        self._store = TradingStateStore(settings, redis)
        self._halts = halts
        self._now = now

    async def look(self) -> None:
        """Read them."""
        self._halts.look(await self._store.read(), self._now())


class LimitsProbe:
    """Each account's daily loss. Raises TransientError."""

    def __init__(self, settings: Settings, loss: LossWatch) -> None:
        self._settings = settings
        self._data = ReferenceData(settings)
        self._loss = loss

    async def look(self) -> None:
        """Read them; one that nobody can use binds at once, and is no amount to compare with."""
        defaults = self._settings.risk.model_dump()
        for broker in self._settings.enabled_brokers:
            account = self._settings.account_key(broker)
            rows = await self._data.load_limits(account)
            most = Limits.from_layers(defaults, rows.get("", {})).max_daily_loss
            if most > 0:
                self._loss.limits[account] = most


class PagesProbe:
    """The workers' pages, as far as the local stack has noted where they are."""

    def __init__(
        self, settings: Settings, workers: WorkersWatch, alarms: AlarmsWatch, now: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._workers = workers
        self._alarms = alarms
        self._counters = Counters()
        self._now = now

    async def look(self) -> None:
        """Read all of them side by side."""
        pages = read_pages(self._settings.stack.state_directory)
        self._workers.forget(set(pages))
        timeout = aiohttp.ClientTimeout(total=PAGE_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            await asyncio.gather(*(self._one(session, name, port) for name, port in pages.items()))

    async def _one(self, session: aiohttp.ClientSession, name: str, port: int) -> None:
        try:
            async with session.get(f"http://{self._settings.worker.web_host}:{port}/metrics") as answer:
                self.take(name, await answer.text())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return  # the watch notices that it has not answered

    def take(self, name: str, page: str) -> None:
        """One worker's page."""
        started, values = figures(page.splitlines())
        now = self._now()
        self._workers.answered(name, started, now)
        for broker, kind, rise in self._counters.rises(name, started, values):
            self._alarms.risen(broker, kind, rise, now)


def figures(lines: Iterable[str]) -> tuple[float, dict[tuple[str, str], float]]:
    """When a worker started, and its counters of alarms by broker and kind; the rest of the page is not parsed."""
    wanted = [line for line in lines if line.startswith((STARTED, GIVEN_UP, ORDER_ALARMS))]
    started, values = 0.0, {}
    for family in text_string_to_metric_families("\n".join([*wanted, ""])):
        for sample in family.samples:
            if sample.name == STARTED:
                started = float(sample.value)
            else:
                values[sample.labels["broker"], sample.labels.get("kind", EXITS_GIVEN_UP)] = float(sample.value)
    return started, values


class ReportProbe:
    """The end of the exchange's day. Raises TransientError."""

    def __init__(
        self, settings: Settings, clock: ExchangeClock, tell: Callable[[Notice], None], now: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._tell = tell
        self._now = now
        self._done: date | None = None

    async def look(self) -> None:
        """Tell the report of a day that is over, once."""
        if not self._clock.is_known:
            return
        day = due_day(self._clock.second, self._settings.notices.report_minutes)
        if day is None or day == self._done:
            return
        report = await read_report(self._settings, day)
        self._done = day
        self._tell(report_notice(report, self._now()))
