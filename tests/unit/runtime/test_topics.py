"""Names are built and parsed in one place: what one makes the other understands, anything else is refused by name."""

from __future__ import annotations

import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faust_app.runtime.topics import DLQ, SHARED, Topic, TopicName, Topics, UnknownTopic
from tests.unit.runtime.configurations import configured

NAMESPACES = ("", "replay-1.", "market.", "paper.")


def every_name(namespace: str) -> list[tuple[str, TopicName]]:
    topics = Topics(configured(namespace=namespace))
    found = []
    for topic in Topic:
        for broker in (SHARED,) if topic.is_shared else ("paper", "zerodha", "dormant"):
            name = topics.name(topic, broker)
            found += [
                (name, TopicName(topic, broker, is_dlq=False)),
                (topics.dlq(name), TopicName(topic, broker, is_dlq=True)),
            ]
    return found


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_every_name_parses_back_to_its_parts(namespace: str) -> None:
    topics = Topics(configured(namespace=namespace))
    names = every_name(namespace)
    assert len({name for name, _ in names}) == len(names), "no two topics share a name"
    for name, parts in names:
        assert topics.parse(name) == parts
        assert re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", name), "a name Kafka takes"


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "dlq",
        ".dlq",
        "market",
        "market.",
        "market.ticks.",
        "market.ticks.dlq.dlq",
        "market.candles",
        "orders.filled",
        "paper",
        "paper.",
        "paper.orders",
        "paper.orders.filled.extra",
        "Paper.orders.filled",
        "nobody.orders.filled",
        "paper.market.ticks",
        "zerodha.control.events",
        "paper.market.marks.dlq",
        "replay-1.paper.orders.filled",
        " paper.orders.filled",
        "alpha-panda.risk_manager.paper-exposure-changelog",
        "__consumer_offsets",
    ],
)
def test_unknown_name_is_refused_with_the_name_in_it(name: str) -> None:
    with pytest.raises(UnknownTopic, match=re.escape(repr(name))) as caught:
        Topics(configured()).parse(name)
    assert caught.value.name == name


near_misses = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "paper.", "nobody.", "market.", "shared."]),
    st.sampled_from([*Topic, "x", ""]),
    st.sampled_from(["", ".dlq", ".dlq.dlq", ".x"]),
)


@given(st.text(max_size=40) | near_misses)
def test_whatever_parses_is_built_the_same_again(name: str) -> None:
    topics = Topics(configured())
    try:
        parts = topics.parse(name)
    except UnknownTopic:
        return
    built = topics.name(parts.topic, parts.broker)
    assert name == (topics.dlq(built) if parts.is_dlq else built)


def test_namespace_separates_topics_and_groups() -> None:
    replay, real = Topics(configured(namespace="replay-1.")), Topics(configured())
    name = replay.name(Topic.ORDERS_FILLED, "paper")
    assert name == "replay-1.paper.orders.filled"
    with pytest.raises(UnknownTopic):
        real.parse(name)
    with pytest.raises(UnknownTopic):
        replay.parse("paper.orders.filled")
    assert replay.app_id("risk_manager", "paper") == "replay-1.alpha-panda.risk_manager.paper"


@pytest.mark.parametrize("broker", [None, "nobody", "", "PAPER", SHARED])
def test_broker_topic_needs_a_configured_broker(broker: str | None) -> None:
    with pytest.raises(UnknownTopic, match=f"{broker}.orders.filled"):
        Topics(configured()).name(Topic.ORDERS_FILLED, broker)


def test_shared_topic_has_no_broker_in_its_name() -> None:
    assert Topics(configured()).name(Topic.MARKET_TICKS, "paper") == "market.ticks"


def test_dead_letter_topic_has_no_dead_letter_topic() -> None:
    topics = Topics(configured())
    assert topics.dlq("market.ticks") == f"market.ticks{DLQ}"
    assert topics.dlq(topics.dlq("market.ticks")) == f"market.ticks{DLQ}"


def test_changelog_is_named_as_faust_names_it() -> None:
    topics = Topics(configured())
    assert topics.changelog("risk_manager", "paper", "exposure") == (
        "alpha-panda.risk_manager.paper-exposure-changelog"
    )
    assert topics.changelog("strategy_runner", None, "strategy_state") == (
        "alpha-panda.strategy_runner-strategy_state-changelog"
    )


@given(st.text(max_size=20), st.integers(1, 64))
def test_partition_of_a_group_is_stable_and_exists(group: str, partitions: int) -> None:
    topics = Topics(configured(kafka={"partitions": partitions}))
    assert topics.partition(group) == zlib.crc32(group.encode()) % partitions


def test_groups_spread_over_all_partitions() -> None:
    topics = Topics(configured())
    assert {topics.partition(f"NSE:STOCK{number}") for number in range(50)} == {0, 1, 2, 3}
