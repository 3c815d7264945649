"""Market feed: Kite's WebSocket in, frames of ticks, the market's clock and marks out.

    reactor thread: KiteTicker -> FrameDecoder -> TickQueue -> event loop: Framing -> market.ticks, market.marks

After the start it needs Kafka and the socket only. While Kafka is away the queue fills and conflates.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import structlog

from agents.feed.barrier import Barrier
from agents.feed.framing import Framing, Numbered
from agents.feed.marks import MarkBoard
from agents.feed.order_updates import OrderUpdates
from agents.feed.queue import TickQueue
from agents.feed.silence import TickSilence
from agents.feed.watchlist import read_watchlist
from agents.reference import Reference
from brokers.zerodha.frames import FrameDecoder
from brokers.zerodha.ticker import TOKENS_PER_CONNECTION, Address, Connection, Ticker
from faust_app.runtime import metrics
from faust_app.runtime.app import Worker
from faust_app.runtime.codec import encode, encode_frame, event_time, new_id, root
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.kite_session import session_view
from faust_app.runtime.publisher import SEND_FAILURES
from faust_app.runtime.settings import PROJECT
from faust_app.runtime.topics import SHARED, Topic
from models.messages.market import Marks
from tables.journal import Output
from trading.market.instruments import Instrument, InstrumentRegistry

log = structlog.get_logger(__name__)
MOST_AT_ONCE = 2_000  # ticks taken from the queue in one turn
MOST_IN_FLIGHT = 256  # frames sent and not yet acknowledged
NOT_CONNECTED = "socket"
NO_TICKS = "ticks"
LOOK_SECONDS = 0.5


class MarketFeed:
    """State of the stage. `on_*` methods run in the reactor thread, all others in the event loop."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._settings = worker.settings.feed
        self._topic = worker.topics.name(Topic.MARKET_TICKS)
        self._decoder = FrameDecoder()
        self._run_id = self._settings.run_id or new_id()
        self._awake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue = TickQueue(self._settings.queue_ticks, self._wake, lossless=self._settings.run_id is not None)
        self._framing: Framing
        self._marks: MarkBoard
        self._order_updates: OrderUpdates
        self._tickers: list[Ticker] = []
        self._states: dict[int, Connection] = {}
        self._in_flight: set[asyncio.Future[Any]] = set()
        self._room = asyncio.Event()
        self._is_stopping = False
        self._received = 0
        self._barrier = Barrier(worker.settings) if self._settings.run_id is not None else None
        self._seen = {"refused": 0, "repeated": 0, "dropped": 0, "late": 0}

    async def run(self) -> None:
        """Connect and publish until `stop`."""
        self._loop = asyncio.get_running_loop()
        instruments = await self._load()
        await self._worker.app.maybe_start_producer()
        self._connect(instruments)
        beside = [asyncio.create_task(self._publish_marks()), asyncio.create_task(self._watch_ticks(instruments))]
        try:
            await self._publish()
        finally:
            for task in beside:
                task.cancel()

    async def _load(self) -> list[Instrument]:
        reference = Reference(self._worker)
        found = await reference.load("instruments", reference.data.load_instruments)
        chosen = read_watchlist(PROJECT / self._settings.instruments_file, InstrumentRegistry(found))
        partition = {one.instrument_token: self._worker.topics.partition(one.co_location_group) for one in chosen}
        unknown = self._worker.topics.partition
        self._framing = Framing(
            self._run_id,
            self._worker.settings.kafka.partitions,
            lambda token: partition[token] if token in partition else unknown(str(token)),
            new_id,
        )
        self._marks = MarkBoard(self._run_id, chosen)
        groups = {one.instrument_token: one.co_location_group for one in found}
        config = self._worker.settings
        live = [name for name in config.enabled_brokers if config.brokers[name].execution.is_at_the_broker]
        self._order_updates = OrderUpdates(
            self._worker.topics, live, lambda token: groups.get(token, str(token)), source=self._worker.stage
        )
        return chosen

    def _connect(self, instruments: list[Instrument]) -> None:
        kite = self._worker.settings.kite
        if kite.api_key is None:
            raise ConfigurationError("kite.api_key is not set: the feed needs Kite's API key or a sandbox's")
        address = Address(kite.ws_root, kite.api_key.get_secret_value(), session_view(self._worker.settings))
        tokens = [one.instrument_token for one in instruments]
        for number, start in enumerate(range(0, len(tokens), TOKENS_PER_CONNECTION)):
            part = tokens[start : start + TOKENS_PER_CONNECTION]
            ticker = Ticker(number, address, part, self, self._settings.silent_seconds)
            self._states[number] = Connection.CONNECTING
            self._tickers.append(ticker)
            ticker.start()
        log.info("feed_started", run_id=self._run_id, instruments=len(tokens), connections=len(self._tickers))

    async def stop(self) -> None:
        """Disconnect, publish what was received, wait for Kafka."""
        self._is_stopping = True
        for ticker in self._tickers:
            ticker.stop()
        self._queue.close()
        self._awake.set()
        if self._barrier is not None:
            await self._barrier.close()
        elif self._loop is not None and self._tickers:
            await self._publish_waiting()
            await asyncio.gather(*self._in_flight, return_exceptions=True)

    def on_frame(self, payload: bytes) -> None:
        """Decode and queue one binary frame."""
        received_ns = time.time_ns()
        ticks = self._decoder.decode(payload)
        metrics.FEED_LAST_FRAME.set(received_ns / 1e9)
        if ticks:
            metrics.FEED_LAST_TICK.set(received_ns / 1e9)
            metrics.TICKS_RECEIVED.inc(len(ticks))
            self._received += len(ticks)
            self._queue.put(ticks, received_ns)

    def on_text(self, payload: bytes) -> None:
        """Pass an order update on."""
        self._from_reactor(self._pass_on, payload, time.time())

    def _pass_on(self, payload: bytes, received: float) -> None:
        self._send_aside(self._order_updates.outputs(payload, received))

    def _send_aside(self, outputs: list[Output]) -> None:
        for output in outputs:
            task = asyncio.ensure_future(self._worker.try_send(output))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)

    def on_state(self, number: int, state: Connection, reason: str) -> None:
        """A connection changed; readiness follows in the event loop."""
        self._from_reactor(self._note_state, number, state, reason)

    def on_attempt(self, cause: str) -> None:
        """A connection was opened."""
        metrics.FEED_CONNECTIONS.labels(cause).inc()

    def _wake(self) -> None:
        self._from_reactor(self._awake.set)

    def _from_reactor(self, work: Any, *arguments: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work, *arguments)

    def _note_state(self, number: int, state: Connection, reason: str) -> None:
        self._states[number] = state
        missing = [one for one in self._states.values() if one is not Connection.CONNECTED]
        metrics.FEED_CONNECTED.set(int(not missing))
        log.info("feed_connection", connection=number, state=state.value, reason=reason)
        if not missing:
            self._worker.state.recovered(NOT_CONNECTED)
            self._send_aside(self._order_updates.resumed(time.time()))
        elif state is not Connection.CONNECTED:
            self._worker.state.degraded(NOT_CONNECTED, f"The WebSocket is {state.value}: {reason}".rstrip(": "))

    async def _publish(self) -> None:
        """Publish at once when idle; under load wait up to `coalesce_ms` for more ticks."""
        coalesce = self._settings.coalesce_ms / 1000
        last = 0.0
        while not self._is_stopping:
            await self._awake.wait()
            wait = last + coalesce - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            self._awake.clear()
            last = time.monotonic()
            await self._publish_waiting()

    async def _publish_waiting(self) -> None:
        while entries := self._queue.take(MOST_AT_ONCE):
            for numbered in self._framing.add(entries):
                await self._send(numbered)
            self._marks.note(entries)
            metrics.FEED_EVENT_TIME.set(self._framing.clock)
        for numbered in self._framing.flush():
            await self._send(numbered)
        self._count()

    async def _send(self, numbered: Numbered) -> None:
        partition, frame = numbered
        if self._barrier is not None and frame.event_time > self._barrier.clock:
            await asyncio.gather(*self._in_flight, return_exceptions=True)
            await self._barrier.wait(frame.event_time)
        while len(self._in_flight) >= MOST_IN_FLIGHT:
            self._room.clear()
            await self._room.wait()
        try:
            future = await self._worker.publisher.send(Output(self._topic, None, encode_frame(frame), partition))
        except SEND_FAILURES as error:
            self._lost(len(frame.ticks), error)
            return
        self._in_flight.add(future)
        future.add_done_callback(lambda done: self._sent(done, len(frame.ticks)))

    def _sent(self, future: asyncio.Future[Any], ticks: int) -> None:
        self._in_flight.discard(future)
        self._room.set()
        error = None if future.cancelled() else future.exception()
        if future.cancelled() or error is not None:
            self._lost(ticks, error or asyncio.CancelledError("The producer stopped"))
            return
        metrics.TICKS_PUBLISHED.inc(ticks)
        metrics.FRAMES_PUBLISHED.inc()

    def _lost(self, ticks: int, error: BaseException) -> None:
        metrics.TICKS_DROPPED.labels("kafka").inc(ticks)
        metrics.SEND_ERRORS.labels(self._worker.stage, self._worker.broker).inc()
        log.warning("frame_not_sent", ticks=ticks, error=f"{type(error).__name__}: {error}")

    def _count(self) -> None:
        """Turn the parts' running totals into counters."""
        metrics.FEED_QUEUE_TICKS.set(len(self._queue))
        self._note("refused", self._decoder.refused, metrics.FEED_PACKETS_REFUSED)
        self._note("repeated", self._decoder.repeated, metrics.TICKS_DROPPED.labels("repeated"))
        self._note("dropped", self._queue.dropped, metrics.TICKS_DROPPED.labels("queue_full"))
        self._note("late", self._framing.late, metrics.TICKS_OUT_OF_ORDER)

    def _note(self, name: str, total: int, counter: Any) -> None:
        if total > self._seen[name]:
            counter.inc(total - self._seen[name])
            self._seen[name] = total

    async def _watch_ticks(self, instruments: list[Instrument]) -> None:
        """Not ready while the socket lives and says nothing. A replay may be as slow as it likes."""
        silence = TickSilence(instruments, self._settings.tickless_seconds, time.monotonic())
        received = 0
        while self._settings.run_id is None:
            if self._received != received:
                received = self._received
                silence.note(self._framing.clock, time.monotonic())
            reason = silence.reason(time.monotonic(), time.time())
            if reason:
                self._worker.state.degraded(NO_TICKS, reason)
            else:
                self._worker.state.recovered(NO_TICKS)
            await asyncio.sleep(LOOK_SECONDS)

    async def _publish_marks(self) -> None:
        """Publish what changed, `marks_per_second` times a second."""
        topic = self._worker.topics.name(Topic.MARKET_MARKS)
        while True:
            await asyncio.sleep(1 / self._settings.marks_per_second)
            for marks in self._marks.take(self._framing.clock):
                await self._worker.try_send(Output(topic, None, encode(self._envelope(marks)), 0))

    def _envelope(self, marks: Marks) -> Any:
        return root(
            marks,
            message_id=new_id(),
            broker=SHARED,
            key=SHARED,
            source=self._worker.stage,
            at=event_time(marks.clock),
        )


def attach(worker: Worker) -> None:
    """Declare the stage on `worker`: it consumes no topic."""
    worker.app.producer_only = True
    feed = MarketFeed(worker)
    worker.state.degraded(NOT_CONNECTED, "The WebSocket is not connected yet")
    worker.background("feed", feed.run)
    worker.on_stopping(feed.stop)
