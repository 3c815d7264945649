"""A second worker joins and leaves a group with a table while messages flow; every offset is accounted for.

    python -m tests.chaos.rebalance --runtime exact --joins 10 --seed 1

Needs a Kafka at ALPHA_PANDA__KAFKA__BOOTSTRAP. Prints what was sent, never handled, handled twice, and what was
committed without having been handled.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError

from tests.chaos.probe_worker import HANDLED, INPUT, STAGE, TABLE

GROUP = f"alpha-panda.{STAGE}"
PARTITIONS = 8


@dataclass
class Result:
    """Counts of one run."""

    sent: int
    unhandled: int
    committed_unhandled: int
    repeated: int
    joins: int


class Cluster:
    """Topics, workers and counters of one run."""

    def __init__(self, bootstrap: str, runtime: str, folder: Path) -> None:
        self.bootstrap, self.runtime, self.folder = bootstrap, runtime, folder
        self.handled: Counter[tuple[int, int]] = Counter()
        self.sent: set[tuple[int, int]] = set()
        self._workers: list[subprocess.Popen[bytes]] = []

    async def create_topics(self) -> None:
        """Fresh topics."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        compact = {"cleanup.policy": "compact"}
        topics = [
            NewTopic(INPUT, PARTITIONS, 1),
            NewTopic(f"{INPUT}.dlq", 1, 1),
            NewTopic(HANDLED, 1, 1),
            NewTopic(f"{GROUP}-{TABLE}-changelog", PARTITIONS, 1, topic_configs=compact),
        ]
        try:
            for topic in topics:
                with contextlib.suppress(UnknownTopicOrPartitionError):
                    await admin.delete_topics([topic.name])
            await self._create_when_gone(admin, topics)
        finally:
            await admin.close()

    async def _create_when_gone(self, admin: AIOKafkaAdminClient, topics: list[NewTopic]) -> None:
        names = {topic.name for topic in topics}
        while names & set(await admin.list_topics()):
            await asyncio.sleep(0.1)
        await admin.create_topics(topics)
        while not names <= set(await admin.list_topics()):
            await asyncio.sleep(0.1)

    def start(self, instance: int) -> subprocess.Popen[bytes]:
        """Start a worker of the group."""
        environment = {
            **os.environ,
            "ALPHA_PANDA__KAFKA__BOOTSTRAP": self.bootstrap,
            "ALPHA_PANDA__KAFKA__PARTITIONS": str(PARTITIONS),
            "ALPHA_PANDA__WORKER__DATA_DIRECTORY": str(self.folder / "tables"),
            "ALPHA_PANDA_WORKER_INSTANCE": str(instance),
            "ALPHA_PANDA_WEB_PORT": str(17600 + instance),
            "PROBE_RUNTIME": self.runtime,
        }
        command = [
            sys.executable,
            "-m",
            "faust",
            "-A",
            "tests.chaos.probe_worker",
            "-L",
            "uvloop",
            "worker",
            "-l",
            "info",
        ]
        if self.runtime == "exact":
            command.append("--without-web")
        log = (self.folder / f"worker-{instance}.log").open("ab")
        worker = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self._workers.append(worker)
        return worker

    def kill_all(self) -> None:
        """End every worker."""
        for worker in self._workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait()

    async def produce(self, rate: float, stop: asyncio.Event) -> None:
        """Send `rate` messages a second, spread over all partitions, until `stop`."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all")
        await producer.start()
        number = 0
        try:
            while not stop.is_set():
                partition = number % PARTITIONS
                sent = await producer.send_and_wait(INPUT, b"x", key=str(number % 64).encode(), partition=partition)
                self.sent.add((sent.partition, sent.offset))
                number += 1
                await asyncio.sleep(1 / rate)
        finally:
            await producer.stop()

    async def collect(self) -> None:
        """Count what workers report, until cancelled."""
        consumer = AIOKafkaConsumer(HANDLED, bootstrap_servers=self.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            async for message in consumer:
                partition, offset = message.value.decode().split("/")
                self.handled[int(partition), int(offset)] += 1
        finally:
            await consumer.stop()

    async def wait_handled(self, more_than: int, seconds: float) -> bool:
        """Wait until more messages than that are handled; False after `seconds`."""
        return await self._until(lambda: sum(self.handled.values()) > more_than, seconds)

    async def wait_all_handled(self, seconds: float) -> bool:
        """Wait until every message sent is handled; False when it stays that way for `seconds`."""
        return await self._until(lambda: len(self.handled) >= len(self.sent), seconds)

    async def _until(self, condition: object, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():  # type: ignore[operator]
            if time.monotonic() > deadline or self._workers[0].poll() is not None:
                return False
            await asyncio.sleep(0.1)
        return True

    async def committed(self) -> dict[int, int]:
        """The group's positions."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(GROUP)
        finally:
            await admin.close()
        return {number: _offset(offsets.get(TopicPartition(INPUT, number))) for number in range(PARTITIONS)}

    async def settled_positions(self, seconds: float) -> dict[int, int]:
        """The group's positions once they have reached what was sent, or after `seconds`."""
        ends: dict[int, int] = {}
        for partition, offset in self.sent:
            ends[partition] = max(ends.get(partition, 0), offset + 1)
        deadline = time.monotonic() + seconds
        while (found := await self.committed()) != ends and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
        return found


def _offset(found: object) -> int:
    return getattr(found, "offset", 0) if found is not None else 0


async def run(bootstrap: str, runtime: str, joins: int, rate: float, seed: int, folder: Path) -> Result:
    """One run: `joins` times a second worker joins, works and leaves, by SIGTERM and SIGKILL in turn."""
    rng = random.Random(seed)
    cluster = Cluster(bootstrap, runtime, folder)
    await cluster.create_topics()
    stop = asyncio.Event()
    tasks = [asyncio.create_task(cluster.collect()), asyncio.create_task(cluster.produce(rate, stop))]
    try:
        cluster.start(0)
        if not await cluster.wait_handled(100, 90):
            raise RuntimeError(f"The first worker handles nothing; see {folder}")
        for number in range(joins):
            second = cluster.start(1)
            await cluster.wait_handled(sum(cluster.handled.values()) + int(rate * rng.uniform(5, 9)), 60)
            second.send_signal(signal.SIGTERM if number % 2 == 0 else signal.SIGKILL)
            await asyncio.to_thread(second.wait)
            await cluster.wait_handled(sum(cluster.handled.values()) + int(rate), 60)
        stop.set()
        await tasks[1]
        await cluster.wait_all_handled(60)
        return _result(cluster, await cluster.settled_positions(15), joins)
    finally:
        cluster.kill_all()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _result(cluster: Cluster, committed: dict[int, int], joins: int) -> Result:
    missing = cluster.sent - set(cluster.handled)
    return Result(
        sent=len(cluster.sent),
        unhandled=len(missing),
        committed_unhandled=sum(offset < committed[partition] for partition, offset in missing),
        repeated=sum(count - 1 for count in cluster.handled.values()),
        joins=joins,
    )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime", choices=("exact", "stock"), default="exact")
    parser.add_argument("--joins", type=int, default=4)
    parser.add_argument("--rate", type=float, default=350)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    bootstrap = os.environ.get("ALPHA_PANDA__KAFKA__BOOTSTRAP", "127.0.0.1:19092")
    folder = Path(tempfile.mkdtemp(prefix="rebalance-"))
    print(f"seed {arguments.seed}, logs in {folder}")
    result = asyncio.run(run(bootstrap, arguments.runtime, arguments.joins, arguments.rate, arguments.seed, folder))
    print(result)


if __name__ == "__main__":
    main()
