"""Builds a worker: one Faust app per stage and broker, with this project's delivery, tables, logs and pages."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

import faust
import structlog
from faust.app.base import BootStrategy

from faust_app.runtime import metrics
from faust_app.runtime.broadcast import BroadcastReader
from faust_app.runtime.consume import ConsumeLoop, Handler
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.exact import ExactTableManager, ExactTransport, check_versions
from faust_app.runtime.faust_metrics import faust_monitor
from faust_app.runtime.health import HealthServer
from faust_app.runtime.inspect import register_inspect
from faust_app.runtime.kafka_watch import KafkaWatch, Routines
from faust_app.runtime.lag_watch import LagWatch
from faust_app.runtime.lifecycle import WorkerState, die
from faust_app.runtime.logging import capture_everything, configure_logging, end_windows
from faust_app.runtime.publisher import SEND_FAILURES, Publisher
from faust_app.runtime.redaction import secrets_of
from faust_app.runtime.settings import BROKER_VARIABLE, INSTANCE_VARIABLE, PORT_VARIABLE, Settings, settings
from faust_app.runtime.topics import LARGEST_DEAD_LETTER, SHARED, Topic, Topics
from models.messages.envelope import Envelope
from tables.journal import Output
from tables.raw_key_table import RawKeyTable, raw_table

log = structlog.get_logger(__name__)

SESSION_SECONDS = 20.0
CANCEL_SECONDS = 1.0
TABLES_SECONDS = 5.0  # how often the sizes of tables are looked at
REPEATED_SECONDS = 1.0  # how often repeated lines are told of


class _NoFaustWeb(BootStrategy):
    """Pages are served by `HealthServer`: Faust's own web server has no readiness and shows tables to anyone."""

    enable_web = False


class WorkerApp(faust.App):
    """A Faust app on the corrected transport."""

    BootStrategy = _NoFaustWeb
    worker: Worker

    def _new_transport(self) -> Any:
        return ExactTransport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Any:
        return ExactTransport(self.conf.broker_producer, self)

    async def on_start(self) -> None:
        """Pages and background work begin before partitions are assigned."""
        await super().on_start()
        await self.worker.begin()

    async def on_stop(self) -> None:
        """What has to be sent is sent while the producer still runs."""
        await self.worker.stopping()
        await super().on_stop()

    async def on_shutdown(self) -> None:
        """The last thing a worker does."""
        await super().on_shutdown()
        await self.worker.end()


class Worker:
    """What a stage's `attach` builds on. `broker` is `shared` for stages without one."""

    def __init__(self, stage: str, broker: str, config: Settings) -> None:
        self.stage = stage
        self.broker = broker
        self.settings = config
        self.topics = Topics(config)
        self.state = WorkerState()
        self.app = _new_app(stage, broker, self.topics, config)
        self.app.worker = self
        self.app.monitor = faust_monitor()
        self.publisher = Publisher(self.app)
        self.health = HealthServer(
            self.state, stage=stage, broker=broker, host=config.worker.web_host, port=_web_port(config)
        )
        self._tables: list[RawKeyTable] = []
        self._background: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.app.on_rebalance_complete.connect(self._on_recovered)
        self._stopping: list[Callable[[], Awaitable[None]]] = []
        self._recovered: list[Callable[[], Awaitable[None]]] = []
        self._rebalance_started = time.monotonic()
        self.app.on_partitions_revoked.connect(self._on_revoked)
        self.background("table sizes", self._show_tables)
        self.background("repeated lines", _tell_of_repeated_lines)
        self.background("kafka", KafkaWatch(self.state, self._kafka_client, self._kafka_routines).run)
        self.background("lag", LagWatch(self.state, self._behind, config.worker.most_lag_messages).run)

    def table(self, name: str, help_text: str) -> RawKeyTable:
        """Declare a table of this stage."""
        table = raw_table(self.app, name, help_text, self.settings.kafka.partitions)
        self._tables.append(table)
        return table

    def consume(self, topic: str, handler: Handler) -> None:
        """Run `handler` on every message of `topic`, by the one consume loop."""
        loop = ConsumeLoop(
            stage=self.stage,
            broker=self.broker,
            topic=topic.removeprefix(self.settings.namespace),
            handler=handler,
            publisher=self.publisher,
            take_writes=self._take_writes,
            consumer=lambda: self.app.consumer,
            settings=self.settings.delivery,
            state=self.state,
        )
        channel = self.app.topic(topic, key_type=bytes, value_type=bytes, value_serializer="raw", key_serializer="raw")
        name = topic.replace(".", "_").replace("-", "_")
        self.app.agent(channel, name=f"agents.{self.stage}.{name}")(loop.run)

    def background(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` from start to stop; when it fails the worker dies."""
        self._background.append((name, work))

    def follow_control(self, on_event: Callable[[Envelope[Any]], None]) -> None:
        """Call `on_event` for every operator's change from now on."""
        reader = BroadcastReader(self.settings.kafka, self.topics.name(Topic.CONTROL_EVENTS), on_event)
        self.background("control", reader.run)

    def on_recovered(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Await `callback` after each assignment, when tables are recovered and nothing flows yet."""
        self._recovered.append(callback)

    def on_stopping(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Await `callback` when the worker is asked to stop, before the producer is."""
        self._stopping.append(callback)

    async def stopping(self) -> None:
        """Called by Faust, first of all, when the worker stops."""
        for callback in self._stopping:
            await callback()

    async def try_send(self, output: Output) -> bool:
        """Send a message nobody waits for (a snapshot, marks); False, counted, when Kafka did not take it."""
        try:
            await self.publisher.send_all([output])
        except SEND_FAILURES as error:
            metrics.SEND_ERRORS.labels(self.stage, self.broker).inc()
            log.warning("send_failed", topic=output.topic, error=str(error))
            return False
        return True

    def _kafka_client(self) -> Any:
        producer = getattr(self.app.producer, "_producer", None)
        return None if producer is None else producer.client

    def _kafka_routines(self) -> Routines:
        """What a worker waits for without ever being told that it has ended."""
        if self.app.should_stop:
            return
        producer = getattr(self.app.producer, "_producer", None)
        if producer is not None:
            yield "the sender", producer._sender.sender_task
        if not self.app.producer_only:
            yield from self.app.consumer.routines()

    async def _behind(self) -> int | None:
        return None if self.app.producer_only else await self.app.consumer.behind()

    def _take_writes(self) -> list[Any]:
        return [write for table in self._tables for write in table.take_pending_writes()]

    async def begin(self) -> None:
        """Serve the pages and start the background work. Called by Faust."""
        configure_logging(self.settings.log, stage=self.stage, broker=self.broker, secrets=secrets_of(self.settings))
        metrics.BUILD_INFO.labels(self.stage, self.broker, VERSION).set(1)
        metrics.WORKER_STARTED.set(time.time())
        if not self.app.producer_only:
            self.health.add_reasons(self._assignment_reasons)
        await self.health.start()
        for name, work in self._background:
            self._tasks.append(asyncio.create_task(self._run(name, work), name=name))
        self.state.recovered("start")
        log.info("worker_started", app_id=self.app.conf.id)

    async def end(self) -> None:
        """Stop the background work and the pages. Called by Faust."""
        running = {task for task in self._tasks if not task.done()}
        while running:  # libraries may swallow a cancellation, `asyncio.wait_for` of Python 3.11 does
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=CANCEL_SECONDS)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.health.stop()

    async def _run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            die(f"{self.stage}: {name} failed", error)

    async def _show_tables(self) -> None:
        while self._tables:
            await asyncio.sleep(TABLES_SECONDS)
            for table in self._tables:
                metrics.TABLE_BYTES.labels(self.stage, self.broker, table.name).set(table.size_bytes)

    def _assignment_reasons(self) -> dict[str, str]:
        if self.app.rebalancing or not self.app.tables.actives_ready:
            return {"assignment": "Partitions are not assigned or tables not recovered yet"}
        return {}

    async def _on_revoked(self, *_: Any, **__: Any) -> None:
        self._rebalance_started = time.monotonic()

    async def _on_recovered(self, *_: Any, **__: Any) -> None:
        metrics.REBALANCES.labels(self.stage, self.broker).inc()
        metrics.RECOVERY_SECONDS.labels(self.stage, self.broker).set(time.monotonic() - self._rebalance_started)
        for callback in self._recovered:
            await callback()


async def _tell_of_repeated_lines() -> None:
    while True:
        await asyncio.sleep(REPEATED_SECONDS)
        end_windows()


VERSION = "0.1.0"


def _web_port(config: Settings) -> int:
    return int(os.environ.get(PORT_VARIABLE, config.stack.web_port_base))


def _new_app(stage: str, broker: str, topics: Topics, config: Settings) -> WorkerApp:
    app_id = topics.app_id(stage, None if broker == SHARED else broker)
    instance = os.environ.get(INSTANCE_VARIABLE, "0")
    folder = config.worker.data_directory.absolute() / f"{app_id}-{instance}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    return WorkerApp(
        app_id,
        broker=f"kafka://{config.kafka.bootstrap}",
        datadir=str(folder),
        store="rocksdb://",
        Table=RawKeyTable,
        TableManager=ExactTableManager,
        value_serializer="raw",
        processing_guarantee="at_least_once",
        topic_partitions=config.kafka.partitions,
        topic_replication_factor=config.kafka.replication,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        consumer_group_instance_id=f"{app_id}-{instance}",
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=config.delivery.commit_seconds,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=3.0,
        broker_request_timeout=40.0,
        broker_max_poll_interval=300.0,
        broker_max_poll_records=500,
        stream_buffer_maxsize=1024,
        producer_acks=-1,
        producer_linger=0.0,
        producer_request_timeout=20.0,
        producer_max_request_size=LARGEST_DEAD_LETTER,
        producer_compression_type="lz4",
        worker_redirect_stdouts=False,
        Worker=_QuietWorker,
    )


class _QuietWorker(faust.Worker):
    """Leaves logging to `configure_logging`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.update(override_logging=False, quiet=True)
        super().__init__(*args, **kwargs)
        self.spinner = None  # it writes escape codes, to files as well


def build_worker(stage: str, *, per_broker: bool) -> Worker:
    """The worker of this process. Raises ConfigurationError when the broker is missing or not enabled."""
    check_versions()
    config = settings()
    broker = required_broker(config) if per_broker else SHARED
    configure_logging(config.log, stage=stage, broker=broker, secrets=secrets_of(config))
    capture_everything()
    worker = Worker(stage, broker, config)
    register_inspect(worker.app)
    return worker


def required_broker(config: Settings) -> str:
    """The broker named in the environment."""
    broker = os.environ.get(BROKER_VARIABLE, "")
    if broker not in config.enabled_brokers:
        known = ", ".join(config.enabled_brokers)
        raise ConfigurationError(f"{BROKER_VARIABLE} is {broker!r}; enabled brokers: {known}")
    return broker
