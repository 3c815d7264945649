"""Topic names: built and parsed here and nowhere else.

A name is `[namespace]` + `market.<kind>` | `control.events` | `<broker>.<family>.<kind>`, and a consumed
topic's dead letters go to `<topic>.dlq`. An unknown name is an error with the name in it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from faust_app.runtime.settings import Settings

DLQ = ".dlq"
SHARED = "shared"
APP_PREFIX = "alpha-panda"
LARGEST_MESSAGE = 4_000_000
LARGEST_DEAD_LETTER = LARGEST_MESSAGE + 16_384  # the original bytes, and headers that say why


class Topic(StrEnum):
    """Every topic by its name without namespace and broker."""

    MARKET_TICKS = "market.ticks"
    MARKET_MARKS = "market.marks"
    CONTROL_EVENTS = "control.events"
    SIGNALS_RAW = "signals.raw"
    SIGNALS_VALIDATED = "signals.validated"
    SIGNALS_REJECTED = "signals.rejected"
    ORDERS_SUBMITTED = "orders.submitted"
    ORDERS_ACK = "orders.ack"
    ORDERS_FILLED = "orders.filled"
    ORDERS_FAILED = "orders.failed"
    ORDERS_UPDATES = "orders.updates"
    RECONCILIATION = "reconciliation"
    PNL_SNAPSHOTS = "pnl.snapshots"

    @property
    def is_broadcast(self) -> bool:
        """True when every reader sees every message: one partition, read without a group."""
        return self in (Topic.MARKET_MARKS, Topic.CONTROL_EVENTS)

    @property
    def is_shared(self) -> bool:
        """True when the topic has no broker in its name."""
        return self in (Topic.MARKET_TICKS, Topic.MARKET_MARKS, Topic.CONTROL_EVENTS)


KEYED_BY = {
    Topic.MARKET_TICKS: "co-location group",
    Topic.MARKET_MARKS: "-",
    Topic.CONTROL_EVENTS: "scope",
    Topic.ORDERS_SUBMITTED: "co-location group",
    Topic.ORDERS_UPDATES: "co-location group",
}  # everything else by account
Cleanup = Literal["delete", "compact"]


class UnknownTopic(ValueError):
    """Raised for a name that is none of ours."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Unknown topic {name!r}")
        self.name = name


@dataclass(frozen=True)
class TopicName:
    """A parsed topic name. `broker` is `shared` for market and control topics."""

    topic: Topic
    broker: str
    is_dlq: bool


@dataclass(frozen=True)
class TopicSpec:
    """How a topic has to exist in Kafka. `retention_ms` is -1 for compacted topics."""

    name: str
    partitions: int
    cleanup: Cleanup
    retention_ms: int
    max_message_bytes: int = LARGEST_MESSAGE


class Topics:
    """Builds and parses names for one configuration."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._namespace = settings.namespace

    def name(self, topic: Topic, broker: str | None = None) -> str:
        """Full name; broker topics need an enabled or configured broker."""
        if topic.is_shared:
            return f"{self._namespace}{topic}"
        if broker not in self._settings.brokers:
            raise UnknownTopic(f"{broker}.{topic}")
        return f"{self._namespace}{broker}.{topic}"

    def dlq(self, topic: str) -> str:
        """Name of a consumed topic's dead-letter topic."""
        return topic if topic.endswith(DLQ) else f"{topic}{DLQ}"

    def parse(self, name: str) -> TopicName:
        """The parts of a full name. Raises UnknownTopic."""
        if not name.startswith(self._namespace):
            raise UnknownTopic(name)
        bare = name.removeprefix(self._namespace)
        is_dlq = bare.endswith(DLQ)
        bare = bare.removesuffix(DLQ)
        broker, _, rest = bare.partition(".")
        is_ours = broker in self._settings.brokers
        try:
            topic = Topic(rest if is_ours else bare)
        except ValueError:
            raise UnknownTopic(name) from None
        if topic.is_shared == is_ours:
            raise UnknownTopic(name)
        return TopicName(topic, broker if is_ours else SHARED, is_dlq)

    def app_id(self, stage: str, broker: str | None = None) -> str:
        """Id of a worker's Faust app: its consumer group, and the prefix of its changelogs."""
        parts = [APP_PREFIX, stage] + ([broker] if broker else [])
        return f"{self._namespace}{'.'.join(parts)}"

    def changelog(self, stage: str, broker: str | None, table: str) -> str:
        """Name of a table's changelog topic, as Faust builds it."""
        return f"{self.app_id(stage, broker)}-{table}-changelog"

    def partition(self, group: str) -> int:
        """Partition of a co-location group; the same for ticks, submitted orders and updates, for ever."""
        return zlib.crc32(group.encode()) % self._settings.kafka.partitions
