"""Monitor: what can only be seen from outside: lag per group, dead letters, dependencies, market phase."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from faust_app.runtime import metrics
from faust_app.runtime.admin import group_offsets
from faust_app.runtime.app import Worker
from faust_app.runtime.market_view import MarketView
from faust_app.runtime.postgres import connection
from faust_app.runtime.topics import DLQ
from faust_app.runtime.topology import consumed_topics, workers
from faust_app.runtime.trading_state import redis_client
from trading.market.instruments import InstrumentRegistry
from trading.market.sessions import Phase, phase_at

log = structlog.get_logger(__name__)
PROBE_SECONDS = 1.0
SEGMENTS = ("NSE", "NFO")


class Monitor:
    """Probes everything once a second; publishes metrics only."""

    def __init__(self, worker: Worker) -> None:
        self._settings = worker.settings
        self._topics = worker.topics
        self._view = MarketView(worker.settings, InstrumentRegistry(()))
        self._redis = redis_client(worker.settings)
        self._clients: tuple[AIOKafkaAdminClient, AIOKafkaConsumer] | None = None
        self.reader = self._view.reader

    async def run(self) -> None:
        """Probe until cancelled; a dependency that does not answer is a metric, not an error."""
        try:
            while True:
                await self._probe("kafka", self._probe_kafka)
                await self._probe("postgres", self._probe_postgres)
                await self._probe("redis", self._probe_redis)
                self._show_market()
                metrics.LAST_PROBE.set(time.time())
                await asyncio.sleep(PROBE_SECONDS)
        finally:
            await self._close()

    async def _probe(self, name: str, probe: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(5):
                await probe()
        except Exception as error:
            metrics.DEPENDENCY_UP.labels(name).set(0)
            log.warning("dependency_down", dependency=name, error=f"{type(error).__name__}: {error}"[:300])
        else:
            metrics.DEPENDENCY_UP.labels(name).set(1)

    async def _probe_postgres(self) -> None:
        async with connection(self._settings) as opened:
            await opened.execute("select 1")

    async def _probe_redis(self) -> None:
        await self._redis.ping()

    async def _probe_kafka(self) -> None:
        if self._clients is None:
            self._clients = await self._connect()
        admin, consumer = self._clients
        groups = {
            self._topics.app_id(stage.name, broker): consumed_topics(self._settings, stage, broker)
            for stage, broker in workers(self._settings)
            if stage.consumes
        }
        ends = await self._ends(consumer, sorted({topic for topics in groups.values() for topic in topics}))
        for group, topics in groups.items():
            await self._show_lag(admin, group, topics, ends)

    async def _connect(self) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._settings.kafka.bootstrap)
        consumer = AIOKafkaConsumer(bootstrap_servers=self._settings.kafka.bootstrap)
        await asyncio.gather(admin.start(), consumer.start())
        return admin, consumer

    async def _ends(self, consumer: AIOKafkaConsumer, topics: list[str]) -> dict[TopicPartition, int]:
        partitions = self._settings.kafka.partitions
        wanted = [TopicPartition(topic, number) for topic in topics for number in self._numbers(topic, partitions)]
        letters = [TopicPartition(f"{topic}{DLQ}", 0) for topic in topics]
        ends: dict[TopicPartition, int] = await consumer.end_offsets([*wanted, *letters])
        begins = await consumer.beginning_offsets(letters)
        for tp in letters:
            metrics.DLQ_MESSAGES.labels(tp.topic).set(ends[tp] - begins[tp])
        return ends

    def _numbers(self, topic: str, partitions: int) -> range:
        return range(1 if self._topics.parse(topic).topic.is_broadcast else partitions)

    async def _show_lag(
        self, admin: AIOKafkaAdminClient, group: str, topics: list[str], ends: dict[TopicPartition, int]
    ) -> None:
        committed = await group_offsets(admin, group)
        for tp, end in ends.items():
            if tp.topic in topics:
                position = committed.get(tp)
                behind = end - position.offset if position is not None else end
                metrics.LAG.labels(group, tp.topic, str(tp.partition)).set(max(0, behind))

    def _show_market(self) -> None:
        for segment in SEGMENTS:
            is_open = self._view.clock > 0 and phase_at(segment, self._view.clock) is Phase.CONTINUOUS
            metrics.MARKET_OPEN.labels(segment).set(int(is_open))

    async def _close(self) -> None:
        if self._clients is not None:
            admin, consumer = self._clients
            await asyncio.gather(admin.close(), consumer.stop())
        await self._redis.aclose()


def attach(worker: Worker) -> None:
    """Declare the stage on `worker`: it reads without a group and sends nothing."""
    worker.app.producer_only = True
    stage = Monitor(worker)
    worker.background("marks", stage.reader.run)
    worker.background("probes", stage.run)
