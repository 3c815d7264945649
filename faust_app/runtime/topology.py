"""Which stage consumes what and keeps which tables, and so: every topic that has to exist."""

from __future__ import annotations

from dataclasses import dataclass

from faust_app.runtime.settings import Settings
from faust_app.runtime.topics import LARGEST_DEAD_LETTER, Topic, Topics, TopicSpec

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
FOREVER = -1
DLQ_RETENTION_MS = 30 * 24 * HOUR_MS

T = Topic
LEDGER = (
    T.SIGNALS_RAW,
    T.SIGNALS_VALIDATED,
    T.SIGNALS_REJECTED,
    T.ORDERS_SUBMITTED,
    T.ORDERS_ACK,
    T.ORDERS_FILLED,
    T.ORDERS_FAILED,
    T.ORDERS_UPDATES,
    T.RECONCILIATION,
    T.PNL_SNAPSHOTS,
    T.CONTROL_EVENTS,
)


@dataclass(frozen=True)
class Stage:
    """One worker kind: what its group consumes, what it sends, its tables."""

    name: str
    per_broker: bool
    consumes: tuple[Topic, ...] = ()
    produces: tuple[Topic, ...] = ()
    tables: tuple[str, ...] = ()


STAGES = (
    Stage("market_feed", False, (), (T.MARKET_TICKS, T.MARKET_MARKS)),
    Stage("strategy_runner", False, (T.MARKET_TICKS,), (T.SIGNALS_RAW,), ("strategy_state",)),
    Stage(
        "risk_manager",
        True,
        (T.SIGNALS_RAW, T.ORDERS_FILLED, T.ORDERS_FAILED, T.RECONCILIATION),
        (T.SIGNALS_VALIDATED, T.SIGNALS_REJECTED),
        ("exposure",),
    ),
    Stage(
        "trading_engine",
        True,
        (T.SIGNALS_VALIDATED, T.ORDERS_SUBMITTED, T.ORDERS_UPDATES, T.MARKET_TICKS),
        (T.ORDERS_SUBMITTED, T.ORDERS_UPDATES, T.ORDERS_ACK, T.ORDERS_FILLED, T.ORDERS_FAILED, T.RECONCILIATION),
        ("orders", "book", "triggers"),
    ),
    Stage("portfolio_manager", True, (T.ORDERS_FILLED,), (T.PNL_SNAPSHOTS,), ("portfolios",)),
    Stage("ledger", False, LEDGER),
    Stage("monitor", False),
)


def workers(settings: Settings) -> list[tuple[Stage, str | None]]:
    """Every worker of this configuration: its stage, and its broker where it has one."""
    found: list[tuple[Stage, str | None]] = []
    for stage in STAGES:
        brokers = settings.enabled_brokers if stage.per_broker else (None,)
        found.extend((stage, broker) for broker in brokers)
    return found


def consumed_topics(settings: Settings, stage: Stage, broker: str | None) -> list[str]:
    """Full names of what a worker's group consumes."""
    topics = Topics(settings)
    names: list[str] = []
    for topic in stage.consumes:
        if topic.is_shared:
            names.append(topics.name(topic))
        else:
            names.extend(topics.name(topic, one) for one in ((broker,) if broker else settings.enabled_brokers))
    return names


def topic_specs(settings: Settings) -> list[TopicSpec]:
    """Every topic that must exist, dead letters and changelogs included, sorted by name."""
    topics = Topics(settings)
    specs = [_event_topic(settings, topics, topic, broker) for topic in Topic for broker in _brokers(settings, topic)]
    consumed = {name for stage, broker in workers(settings) for name in consumed_topics(settings, stage, broker)}
    specs += [_dead_letter_topic(topics, name) for name in consumed]
    specs += [
        TopicSpec(topics.changelog(stage.name, broker, table), settings.kafka.partitions, "compact", FOREVER)
        for stage, broker in workers(settings)
        for table in stage.tables
    ]
    return sorted(specs, key=lambda spec: spec.name)


def _brokers(settings: Settings, topic: Topic) -> tuple[str | None, ...]:
    return (None,) if topic.is_shared else settings.enabled_brokers


def _dead_letter_topic(topics: Topics, name: str) -> TopicSpec:
    return TopicSpec(topics.dlq(name), 1, "delete", DLQ_RETENTION_MS, LARGEST_DEAD_LETTER)


def _event_topic(settings: Settings, topics: Topics, topic: Topic, broker: str | None) -> TopicSpec:
    retention = settings.kafka.retention_hours * HOUR_MS
    if topic is Topic.CONTROL_EVENTS:
        retention = FOREVER
    elif topic in (Topic.MARKET_TICKS, Topic.MARKET_MARKS):
        retention = settings.kafka.tick_retention_minutes * MINUTE_MS
    partitions = 1 if topic.is_broadcast else settings.kafka.partitions
    return TopicSpec(topics.name(topic, broker), partitions, "delete", retention)
