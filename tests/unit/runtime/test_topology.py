"""Every topic a worker needs exists, with its dead letters, its changelogs, and partitions that fit together."""

from __future__ import annotations

import pytest

from faust_app.runtime.admin import configs
from faust_app.runtime.settings import Settings
from faust_app.runtime.topics import SHARED, Topic, Topics, TopicSpec
from faust_app.runtime.topology import DLQ_RETENTION_MS, FOREVER, STAGES, consumed_topics, topic_specs, workers
from tests.unit.runtime.configurations import configured

SETTINGS = [
    configured(),
    configured(brokers={"paper": {"enabled": True}}),
    configured(namespace="replay-1.", kafka={"partitions": 7}),
]


def by_name(settings: Settings) -> dict[str, TopicSpec]:
    return {spec.name: spec for spec in topic_specs(settings)}


@pytest.fixture(params=SETTINGS, ids=["two brokers", "paper", "replay"])
def settings(request: pytest.FixtureRequest) -> Settings:
    found: Settings = request.param
    return found


def test_every_consumed_topic_has_dead_letters_in_one_partition(settings: Settings) -> None:
    specs, topics = by_name(settings), Topics(settings)
    for stage, broker in workers(settings):
        for name in consumed_topics(settings, stage, broker):
            assert name in specs
            dead = specs[topics.dlq(name)]
            assert (dead.partitions, dead.cleanup, dead.retention_ms) == (1, "delete", DLQ_RETENTION_MS)


def test_every_produced_topic_exists(settings: Settings) -> None:
    specs, topics = by_name(settings), Topics(settings)
    for stage, broker in workers(settings):
        for topic in stage.produces:
            for one in (broker,) if broker else settings.enabled_brokers:
                assert topics.name(topic, one) in specs


def test_no_topic_is_listed_twice_and_all_are_ours(settings: Settings) -> None:
    specs = topic_specs(settings)
    names = [spec.name for spec in specs]
    assert len(names) == len(set(names))
    assert names == sorted(names)
    assert all(name.startswith(settings.namespace) for name in names)
    topics = Topics(settings)
    for name in names:
        if not name.endswith("-changelog"):
            assert topics.parse(name).broker in (SHARED, *settings.enabled_brokers)


def test_broker_that_is_not_enabled_has_no_topics() -> None:
    assert not [name for name in by_name(configured()) if "dormant" in name]


def test_tables_have_as_many_partitions_as_what_feeds_them(settings: Settings) -> None:
    """Faust puts a table's row in the partition of the message that wrote it."""
    specs, topics = by_name(settings), Topics(settings)
    for stage, broker in workers(settings):
        for table in stage.tables:
            changelog = specs[topics.changelog(stage.name, broker, table)]
            assert (changelog.cleanup, changelog.retention_ms) == ("compact", FOREVER)
            for name in consumed_topics(settings, stage, broker):
                assert specs[name].partitions == changelog.partitions == settings.kafka.partitions


def test_broadcast_topics_have_one_partition_and_no_table_reads_them() -> None:
    specs = by_name(configured())
    assert specs["control.events"].partitions == specs["market.marks"].partitions == 1
    assert not any(stage.tables and topic.is_broadcast for stage in STAGES for topic in stage.consumes)


def test_control_events_are_kept_for_ever_and_ticks_only_briefly() -> None:
    specs = by_name(configured(kafka={"tick_retention_minutes": 5, "retention_hours": 2}))
    assert specs["control.events"].retention_ms == FOREVER
    assert specs["market.ticks"].retention_ms == specs["market.marks"].retention_ms == 300_000
    assert specs["paper.orders.filled"].retention_ms == 7_200_000


def test_stages_of_one_broker_never_consume_another_brokers_topics() -> None:
    settings = configured()
    topics = Topics(settings)
    for stage, broker in workers(settings):
        if broker is not None:
            brokers = {topics.parse(name).broker for name in consumed_topics(settings, stage, broker)}
            assert brokers <= {broker, SHARED}


def test_per_broker_stages_run_once_for_each_enabled_broker() -> None:
    found = workers(configured())
    for stage in STAGES:
        brokers = [broker for one, broker in found if one is stage]
        assert brokers == (["paper", "zerodha"] if stage.per_broker else [None])


def test_ledger_stores_everything_but_ticks_and_marks() -> None:
    ledger = next(stage for stage in STAGES if stage.name == "ledger")
    assert set(ledger.consumes) == set(Topic) - {Topic.MARKET_TICKS, Topic.MARKET_MARKS}


def test_topic_configuration_is_named_as_kafka_names_it() -> None:
    event = configs(TopicSpec("a", 1, "delete", 5))
    table = configs(TopicSpec("a", 1, "compact", FOREVER))
    assert event == {"cleanup.policy": "delete", "retention.ms": "5", "max.message.bytes": "4000000"}
    assert table["cleanup.policy"] == "compact"
    assert table["retention.ms"] == "-1"
    assert float(table["min.cleanable.dirty.ratio"]) < 0.5
