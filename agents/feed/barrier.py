"""Holds a replay back until the pipeline has finished the last event second: so its results depend on no speed."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from faust_app.runtime.admin import group_offsets
from faust_app.runtime.settings import Settings
from faust_app.runtime.topics import Topics
from faust_app.runtime.topology import consumed_topics, workers

POLL_SECONDS = 0.02
NOT_WAITED_FOR = ("ledger",)  # nothing follows from it


class Barrier:
    """Compares what every stage has committed with the ends of its topics, read in that order.

    A stage commits a message after its outputs are acknowledged, so when every position equals an end that was
    read later, nothing is under way anywhere.
    """

    def __init__(self, settings: Settings) -> None:
        self._bootstrap = settings.kafka.bootstrap
        topics = Topics(settings)
        numbers = range(settings.kafka.partitions)
        self._groups: dict[str, list[TopicPartition]] = {
            topics.app_id(stage.name, broker): [
                TopicPartition(topic, number)
                for topic in consumed_topics(settings, stage, broker)
                for number in numbers
            ]
            for stage, broker in workers(settings)
            if stage.consumes and stage.name not in NOT_WAITED_FOR
        }
        self._clients: tuple[AIOKafkaAdminClient, AIOKafkaConsumer] | None = None
        self.clock = 0

    async def wait(self, clock: int) -> None:
        """Return when everything before event second `clock` has been handled."""
        while not await self._is_quiet():
            await asyncio.sleep(POLL_SECONDS)
        self.clock = clock

    async def _connect(self) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap)
        await asyncio.gather(admin.start(), consumer.start())
        return admin, consumer

    async def _is_quiet(self) -> bool:
        if self._clients is None:
            self._clients = await self._connect()
        admin, consumer = self._clients
        committed = await asyncio.gather(*(group_offsets(admin, group) for group in self._groups))
        wanted = {tp for partitions in self._groups.values() for tp in partitions}
        ends = await consumer.end_offsets(sorted(wanted))
        return all(
            (found[tp].offset if tp in found else 0) >= ends[tp]
            for found, partitions in zip(committed, self._groups.values(), strict=True)
            for tp in partitions
        )

    async def close(self) -> None:
        """Release the connections."""
        if self._clients is not None:
            admin, consumer = self._clients
            await asyncio.gather(admin.close(), consumer.stop())
