"""The stack's own Kafka, PostgreSQL and Redis: who may use them, what survives a restart."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from stack import infrastructure, kafka, postgres
from stack.infrastructure import Endpoints
from stack.ports import HOST
from stack.supervisor import State, Supervisor

DEADLINE = 60.0


@asynccontextmanager
async def servers(state: Path) -> AsyncIterator[tuple[Supervisor, Endpoints]]:
    """The three servers on free ports."""
    supervisor = Supervisor(state / "logs")
    at = infrastructure.any_endpoints(state)
    try:
        await infrastructure.start(supervisor, state, at)
        yield supervisor, at
    finally:
        await infrastructure.stop(supervisor)
        supervisor.close()


def redis(at: Endpoints, password: str | None = None) -> Redis:
    return Redis(host=HOST, port=at.redis, password=password or at.redis_password.read_text())


async def connect(at: Endpoints, password: str | None = None) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=HOST, port=at.postgres, user=postgres.USER, database="postgres",
        password=password or at.postgres_password.read_text(),
    )  # fmt: skip


async def write(at: Endpoints) -> None:
    """Leave something in each server."""
    admin = AIOKafkaAdminClient(bootstrap_servers=f"{HOST}:{at.kafka}")
    await admin.start()
    await admin.create_topics([NewTopic("kept", 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=f"{HOST}:{at.kafka}")
    await producer.start()
    await producer.send_and_wait("kept", b"message")
    await producer.stop()
    connection = await connect(at)
    await connection.execute("CREATE TABLE kept (value text)")
    await connection.execute("INSERT INTO kept VALUES ('row')")
    await connection.close()
    async with redis(at) as client:
        await client.set("kept", "value")


async def read(at: Endpoints) -> tuple[bytes, str, bytes]:
    """What `write` has left."""
    consumer = AIOKafkaConsumer("kept", bootstrap_servers=f"{HOST}:{at.kafka}", auto_offset_reset="earliest")
    await consumer.start()
    async with asyncio.timeout(DEADLINE):
        message = await consumer.getone()
    await consumer.stop()
    connection = await connect(at)
    row = await connection.fetchval("SELECT value FROM kept")
    await connection.close()
    async with redis(at) as client:
        return message.value, row, await client.get("kept")


def pid_of(supervisor: Supervisor, name: str) -> int:
    process = supervisor.services[name].process
    assert process is not None
    return process.pid


async def test_servers_refuse_strangers_keep_their_data_and_come_back(tmp_path: Path) -> None:
    async with servers(tmp_path) as (supervisor, first):
        await write(first)
        await check_refusals(first)
        check_loopback(supervisor)
        await check_comeback(supervisor, first)
        pids = [one.pid for name in infrastructure.NAMES for one in tree(supervisor, name)]
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    async with servers(tmp_path) as (_, second):
        assert second.kafka != first.kafka
        assert await read(second) == (b"message", "row", b"value")


async def check_refusals(at: Endpoints) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect(at, "guess")
    async with redis(at, "guess") as client:
        with pytest.raises(AuthenticationError):
            await client.ping()


def tree(supervisor: Supervisor, name: str) -> list[psutil.Process]:
    """A server's processes; PostgreSQL has several."""
    process = psutil.Process(pid_of(supervisor, name))
    return [process, *process.children(recursive=True)]


def check_loopback(supervisor: Supervisor) -> None:
    for name in infrastructure.NAMES:
        listening = {
            one.laddr.ip.removeprefix("::ffff:")
            for process in tree(supervisor, name)
            for one in process.net_connections("tcp")
            if one.status == psutil.CONN_LISTEN
        }
        assert listening == {HOST}, name
        assert os.getpgid(pid_of(supervisor, name)) != os.getpgid(0)


async def check_comeback(supervisor: Supervisor, at: Endpoints) -> None:
    """After SIGKILL, with what was acknowledged before."""
    before = {name: pid_of(supervisor, name) for name in infrastructure.NAMES}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(DEADLINE):
        for name, pid in before.items():
            service = supervisor.services[name]
            while pid_of(supervisor, name) in (0, pid) or service.state is not State.READY:
                await asyncio.sleep(0.05)
            assert service.restarts >= 1
    assert (await read(at))[:2] == (b"message", "row")


def test_storage_takes_every_cluster_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One in 64 begins with a dash, which a command line takes for an option."""
    monkeypatch.setattr(kafka.uuid, "uuid4", lambda: uuid.UUID(int=62 << 122))
    kafka.prepare(tmp_path, 7000, 7001)
    assert kafka.cluster_id(tmp_path) == "-" + "A" * 21
