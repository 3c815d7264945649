"""The whole of `up`: start everything in order, watch it run, stop it in order, say what happened."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faust_app.runtime import admin, schema, seeding
from faust_app.runtime.errors import ConfigurationError, RuntimeFailure
from faust_app.runtime.redaction import KNOWN, secrets_of
from faust_app.runtime.reference_data import ReferenceData
from faust_app.runtime.settings import Settings, load_settings, merge
from faust_app.runtime.topology import topic_specs
from stack import infrastructure, kafka, ports
from stack.errors import CannotStart, StoppedEarly
from stack.exchange import NAME as EXCHANGE
from stack.exchange import Exchange, MarketChoice
from stack.files import write_json
from stack.plan import Planned, planned_workers, stop_groups
from stack.prometheus import Observer, Programs
from stack.scrape import Scraper
from stack.state import StateFolder
from stack.status import read_status
from stack.summary import read_digest, read_effects, summarise
from stack.supervisor import Supervisor
from stack.targets import forget_targets, write_targets
from stack.view import Watcher

DRAIN_SECONDS = 15.0
DRAIN_LOOK_SECONDS = 0.25
TOLD = {"profile", "brokers", "risk", "notices"}  # what commands in other terminals have to know of this run's settings
FEED = "market_feed"  # starts when the others are ready: ticks that nobody reads yet would only wait
SCRAPE_SECONDS = 2.0
SETTLE_SECONDS = 3.0  # the last marks have become a snapshot, and that a row
Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What a run is asked for. `market` is None when the feed is a real one; `extra` is a layer of settings."""

    market: MarketChoice | None
    extra: Mapping[str, Any]
    seconds: float | None = None
    until_finished: bool = False  # the market is a recording: end when it has been played
    keep: bool = True  # keep topics, schema and tables of the namespace
    json_file: Path | None = None
    show_view: bool = True
    observe: Programs | None = None  # run Prometheus beside it


class Run:
    """One run of the stack on one state folder."""

    def __init__(self, settings: Settings, options: Options, say: Say) -> None:
        self._settings = settings
        self._options = options
        self._say = say
        self._state = StateFolder(settings.stack.state_directory)
        self._supervisor: Supervisor
        self._exchange: Exchange | None = None
        self._observer: Observer | None = None
        self._workers: list[Planned] = []
        self._scraper: Scraper
        self._stop = asyncio.Event()
        self._began = datetime.now(UTC)
        self._ready_at = 0.0
        self.ready = asyncio.Event()

    def stop(self) -> None:
        """Ask it to stop."""
        self._stop.set()

    def pages(self) -> dict[str, int]:
        """Ports of the workers' pages, by worker."""
        return {one.name: one.port for one in self._workers}

    def pids(self) -> dict[str, int]:
        """Process ids by name of what runs now."""
        services = self._supervisor.services.values()
        return {one.name: one.process.pid for one in services if one.process is not None and one.process.is_running}

    async def run(self) -> dict[str, Any]:
        """Until the time is over, the recording has ended, or somebody stops it; the summary."""
        self._state.acquire()
        self._listen()
        self._supervisor = Supervisor(self._state.path / "logs", self._state.lock)
        try:
            await self._or_stopped(self._start())
            if not self._stop.is_set():
                await self._supervisor.or_failure(self._watch())
            return await self._finish()
        finally:
            await self._stop_all()
            self._supervisor.close()
            self._state.release()

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._asked_to_stop)

    def _asked_to_stop(self) -> None:
        if self._stop.is_set():
            os._exit(130)  # asked twice: the guardian ends what is left
        self._say("Stopping ...")
        self._stop.set()

    async def _or_stopped(self, work: Any) -> None:
        """Wait for `work`, but not once we are asked to stop."""
        working = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not working.done():
            working.cancel()
        await asyncio.gather(working, return_exceptions=self._stop.is_set())

    async def _start(self) -> None:
        started = time.monotonic()
        at = await asyncio.to_thread(self._choose)
        if not kafka.cached_jars():
            self._say(f"Downloading Kafka {kafka.VERSION} (43 MB, once) ...")
        self._say(f"Starting Kafka, PostgreSQL and Redis; state and logs are in {self._state.path}")
        await infrastructure.start(self._supervisor, self._state.path, at)
        self._say(f"Creating topics and schema{', starting the exchange' if self._exchange else ''} ...")
        await asyncio.gather(self._bootstrap(), schema.migrate(self._settings), self._start_exchange())
        await self._seed()
        await self._start_workers()
        await self._observe()
        self._ready_at = time.monotonic()
        self.ready.set()
        self._say(f"Ready after {self._ready_at - started:.1f} s: {len(self._workers)} workers")
        for row in await read_status(self._state.path):
            if not row["ready"]:
                self._say(f"{row['worker']} waits: {row['reasons']}")

    def _choose(self) -> infrastructure.Endpoints:
        self._settings = load_settings(self._settings.profile)  # without what a dead run left in the overlay
        at = infrastructure.choose_endpoints(self._settings, self._state.path)
        if self._options.observe is not None:
            self._observer = Observer(self._options.observe, self._state.path, self._settings)
            self._observer.prepare()
        told = self._settings.model_dump(mode="json", include=TOLD)
        overlay: dict[str, Any] = merge(merge(told, at.overlay()), dict(self._options.extra))
        overlay = merge({"worker": {"data_directory": str(self._state.path / "tables")}}, overlay)
        if self._options.market is not None:
            self._exchange = self._new_exchange(self._options.market)
            self._exchange.write_secrets()
            overlay = merge(overlay, self._exchange.overlay())
        self._state.write_overlay(overlay)
        self._settings = load_settings(self._settings.profile)
        infrastructure.check_applied(self._settings, at)
        KNOWN.hide(secrets_of(self._settings))
        return at

    def _new_exchange(self, market: MarketChoice) -> Exchange:
        day = market.session_date
        if day is None and market.replay is None:
            day = self._state.next_session_date()
            self._state.note_session_date(day)
        stack = self._settings.stack
        port = ports.choose("the sandbox", stack.sandbox_port, type(stack).model_fields["sandbox_port"].default)
        return Exchange(port, market.on(day), self._state.path / "run" / "kite-session")

    async def _bootstrap(self) -> None:
        done = await admin.bootstrap(self._settings, topic_specs(self._settings))
        if done.mismatches:
            raise CannotStart("Topics are not what this release needs: " + "; ".join(done.mismatches))

    async def _start_exchange(self) -> None:
        if self._exchange is not None:
            await self._supervisor.start([self._exchange.service()])

    async def _seed(self) -> None:
        try:
            dump = await asyncio.to_thread(seeding.read_dump, self._settings, None)
        except RuntimeFailure as error:
            await self._seed_without_dump(error)
            return
        done = await seeding.seed(self._settings, dump)
        self._say(f"{done.instruments.accepted} instruments loaded")
        if done.instruments.refused:
            self._say(f"{done.instruments.refused} lines of the instrument dump were refused")

    async def _seed_without_dump(self, error: RuntimeFailure) -> None:
        """With a real feed, nobody may have logged in yet; what was loaded before is enough to start."""
        if self._exchange is not None or not await ReferenceData(self._settings).load_instruments():
            raise error
        self._say(f"{error}. The instruments loaded before are used")
        await seeding.seed_strategies(self._settings, seeding.default_strategies(self._settings))

    async def _start_workers(self) -> None:
        self._workers = planned_workers(self._settings)
        pages = {one.name: one.port for one in self._workers}
        self._state.write_pages(pages)
        write_targets(self._state.path, self._workers)
        self._scraper = Scraper(pages)
        environment = self._environment()
        self._say(f"Starting {len(self._workers)} workers ...")
        for is_feed in (False, True):
            chosen = [one for one in self._workers if (one.stage == FEED) is is_feed]
            waits = self._exchange is None or not is_feed  # a live engine waits for the feed
            await self._supervisor.start([one.service(environment, waits=waits) for one in chosen])
        if self._exchange is not None:
            self._exchange.note_opened()

    async def _observe(self) -> None:
        """Prometheus sees the workers once all of them run: a start is no alert."""
        for sentence in await self._observer.start(self._supervisor) if self._observer else ():
            self._say(sentence)

    def _environment(self) -> dict[str, str]:
        found = {"ALPHA_PANDA_PROFILE": self._settings.profile}
        found["ALPHA_PANDA__STACK__STATE_DIRECTORY"] = str(self._state.path)
        return found

    async def _watch(self) -> None:
        """Scrape and show until the end."""
        deadline = None if self._options.seconds is None else self._ready_at + self._options.seconds
        watcher = Watcher(self._supervisor.services, self._scraper.totals, live=self._options.show_view)
        with watcher:
            while not self._stop.is_set() and (deadline is None or time.monotonic() < deadline):
                await self._scraper.scrape()
                watcher.show(time.monotonic() - self._ready_at)
                if self._options.until_finished and await self._is_finished():
                    return
                left = SCRAPE_SECONDS if deadline is None else min(SCRAPE_SECONDS, deadline - time.monotonic())
                try:
                    await asyncio.wait_for(self._stop.wait(), max(0.0, left))
                except TimeoutError:
                    continue

    async def _is_finished(self) -> bool:
        """True when the recording has been played and the feed has published all of it."""
        sent = None if self._exchange is None else await self._exchange.ticks_of_finished()
        totals = self._scraper.totals
        return sent is not None and totals.sum("ticks_published_total") + totals.sum("ticks_dropped_total") >= sent

    async def _finish(self) -> dict[str, Any]:
        """Stop the feed, let the pipeline drain, read what happened."""
        if not self._workers or not self._ready_at:
            raise StoppedEarly("Stopped before everything was ready")
        seconds = time.monotonic() - self._ready_at
        await self._stop_observing()
        if self._exchange is not None:
            await self._supervisor.stop(EXCHANGE)  # no more ticks come: the feed's last figures can still be read
        lag = await self._drain()
        effects = await read_effects(self._settings, self._began)
        digest = await read_digest(self._settings) if self._options.until_finished else None
        restarts = sum(service.restarts for service in self._supervisor.services.values() if service.is_vital)
        summary = summarise(self._scraper.totals, effects, restarts=restarts, seconds=seconds, lag_end=lag)
        return summary if digest is None else {**summary, "digest": digest}

    async def _drain(self) -> int:
        """Wait until every group has handled everything; what is left when it takes too long."""
        since = time.time()
        deadline = time.monotonic() + DRAIN_SECONDS
        while True:
            await self._scraper.scrape()
            lag = int(self._scraper.totals.sum("consumer_lag_messages"))
            probed = self._scraper.totals.highest("last_probe_timestamp_seconds")
            if (lag == 0 and probed > since + SETTLE_SECONDS) or time.monotonic() > deadline:
                return lag
            await asyncio.sleep(DRAIN_LOOK_SECONDS)

    async def _stop_observing(self) -> None:
        """Before anything else: an end that was asked for is no alert."""
        if self._observer is not None:
            await self._observer.stop(self._supervisor)
        forget_targets(self._state.path)

    async def _stop_all(self) -> None:
        await self._stop_observing()
        for names in stop_groups(self._workers):
            await self._supervisor.stop(*names)
        await self._supervisor.stop(EXCHANGE)
        if self._exchange is not None:
            self._exchange.forget_secrets()
        if not self._options.keep and self._workers:
            await self._forget_namespace()
        await infrastructure.stop(self._supervisor)
        if self._workers:
            await self._scraper.close()

    async def _forget_namespace(self) -> None:
        """Remove what a replay has left: its topics, schema and tables."""
        await admin.remove(self._settings, [spec.name for spec in topic_specs(self._settings)])
        await schema.remove(self._settings)
        await asyncio.to_thread(shutil.rmtree, self._settings.worker.data_directory, ignore_errors=True)


async def up(settings: Settings, options: Options, say: Say) -> dict[str, Any]:
    """Run the stack to its end; the summary, also written to the JSON file that was asked for."""
    try:
        summary = await Run(settings, options, say).run()
    except RuntimeFailure as error:
        if isinstance(error, ConfigurationError):
            raise
        raise CannotStart(str(error)) from error
    if options.json_file is not None:
        write_json(options.json_file, summary)
    return summary
