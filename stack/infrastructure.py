"""Kafka, PostgreSQL and Redis together: where they keep their data, on which ports, what others need to reach them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from faust_app.runtime.sections import KafkaSettings, PostgresSettings, RedisSettings
from faust_app.runtime.settings import Settings
from stack import kafka, ports, postgres, redis
from stack.errors import CannotStart
from stack.supervisor import Service, Supervisor

NAMES = ("redis", "postgres", "kafka")


@dataclass(frozen=True)
class Endpoints:
    """Where the servers are."""

    kafka: int
    controller: int
    postgres: int
    redis: int
    postgres_password: Path
    redis_password: Path

    def overlay(self) -> dict[str, dict[str, object]]:
        """As a layer of settings."""
        return {
            "kafka": {"bootstrap": f"{ports.HOST}:{self.kafka}"},
            "postgres": {
                "host": ports.HOST,
                "port": self.postgres,
                "user": postgres.USER,
                "database": postgres.DATABASE,
                "password_file": str(self.postgres_password),
            },
            "redis": {"host": ports.HOST, "port": self.redis, "password_file": str(self.redis_password)},
        }


def configured_ports(settings: Settings) -> list[tuple[str, int, int]]:
    """Of every server its name, its configured port and the default one."""
    kafka_default = KafkaSettings.model_validate({}).bootstrap
    return [
        ("Kafka", _port_of(settings.kafka.bootstrap), _port_of(kafka_default)),
        ("PostgreSQL", settings.postgres.port, PostgresSettings.model_validate({}).port),
        ("Redis", settings.redis.port, RedisSettings.model_validate({}).port),
    ]


def choose_endpoints(settings: Settings, state: Path) -> Endpoints:
    """The configured ports where they are free, others where they were only defaults. Raises CannotStart."""
    chosen = {name: ports.choose(name, port, default) for name, port, default in configured_ports(settings)}
    return Endpoints(
        kafka=chosen["Kafka"],
        controller=ports.any_free(),
        postgres=chosen["PostgreSQL"],
        redis=chosen["Redis"],
        postgres_password=postgres.password_file(state / "postgres").absolute(),
        redis_password=redis.password_file(state / "redis").absolute(),
    )


def check_applied(settings: Settings, at: Endpoints) -> None:
    """Raises CannotStart when the environment sends the workers to other servers than the stack's own."""
    for section, values in at.overlay().items():
        for key, value in values.items():
            if str(getattr(getattr(settings, section), key)) != str(value):
                name = f"ALPHA_PANDA__{section}__{key}".upper()
                raise CannotStart(f"The local stack has to choose {section}.{key} itself: unset {name}")


def any_endpoints(state: Path) -> Endpoints:
    """Free ports only, for tests."""
    return Endpoints(
        kafka=ports.any_free(),
        controller=ports.any_free(),
        postgres=ports.any_free(),
        redis=ports.any_free(),
        postgres_password=postgres.password_file(state / "postgres").absolute(),
        redis_password=redis.password_file(state / "redis").absolute(),
    )


def _port_of(bootstrap: str) -> int:
    return int(bootstrap.rpartition(":")[2])


async def _services(state: Path, at: Endpoints) -> list[Service]:
    """The three servers, their data prepared. Raises CannotStart."""
    kafka_file, data, redis_file = await asyncio.gather(
        asyncio.to_thread(kafka.prepare, state / "kafka", at.kafka, at.controller),
        asyncio.to_thread(postgres.prepare, state / "postgres"),
        asyncio.to_thread(redis.prepare, state / "redis", at.redis),
    )
    postgres_password = await asyncio.to_thread(at.postgres_password.read_text)
    redis_password = await asyncio.to_thread(at.redis_password.read_text)
    cluster = await asyncio.to_thread(kafka.cluster_id, state / "kafka")
    return [
        Service(
            "kafka", lambda: kafka.command(kafka_file), lambda: kafka.is_ready(at.kafka, cluster), ready_seconds=90
        ),
        Service(
            "postgres",
            lambda: postgres.command(data, at.postgres),
            lambda: postgres.is_ready(at.postgres, postgres_password),
        ),
        Service("redis", lambda: redis.command(redis_file), lambda: redis.is_ready(at.redis, redis_password)),
    ]


async def start(supervisor: Supervisor, state: Path, at: Endpoints) -> None:
    """Start all three and wait until they answer."""
    await supervisor.start(await _services(state, at))


async def stop(supervisor: Supervisor) -> None:
    """Stop all three."""
    await supervisor.stop(*NAMES)
