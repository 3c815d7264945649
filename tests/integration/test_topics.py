"""Topics on a real broker: created once, mismatches reported, nothing changed silently."""

from __future__ import annotations

import pytest

from faust_app.runtime import admin
from faust_app.runtime.errors import TransientError
from faust_app.runtime.settings import Settings
from faust_app.runtime.topology import topic_specs


async def test_bootstrap_creates_everything_and_is_idempotent(settings: Settings) -> None:
    specs = topic_specs(settings)
    first = await admin.bootstrap(settings, specs)
    assert set(first.created) == {spec.name for spec in specs}
    second = await admin.bootstrap(settings, specs)
    assert (second.created, second.mismatches) == ([], [])
    assert set(second.existing) == set(first.created)


async def test_mismatch_is_reported_and_left_alone(settings: Settings) -> None:
    await admin.bootstrap(settings, topic_specs(settings))
    kafka = settings.kafka.model_copy(update={"partitions": 8, "retention_hours": 1})
    changed = settings.model_copy(update={"kafka": kafka})
    found = await admin.bootstrap(changed, topic_specs(changed))
    name = f"{settings.namespace}paper.orders.filled"
    assert f"{name} has 4 partitions, expected 8" in found.mismatches
    assert f"{name} has retention.ms=259200000, expected 3600000" in found.mismatches
    assert (await admin.bootstrap(settings, topic_specs(settings))).mismatches == []


async def test_check_creates_nothing(settings: Settings) -> None:
    specs = topic_specs(settings)
    found = await admin.bootstrap(settings, specs, create=False)
    assert len(found.mismatches) == len(specs)
    assert all(sentence.endswith("does not exist") for sentence in found.mismatches)
    assert (await admin.bootstrap(settings, specs, create=False)).existing == []


async def test_namespace_can_be_removed(settings: Settings) -> None:
    specs = topic_specs(settings)
    await admin.bootstrap(settings, specs)
    await admin.remove(settings, [spec.name for spec in specs])
    assert (await admin.bootstrap(settings, specs, create=False)).existing == []


async def test_kafka_that_is_away_is_transient(settings: Settings) -> None:
    kafka = settings.kafka.model_copy(update={"bootstrap": "127.0.0.1:1"})
    away = settings.model_copy(update={"kafka": kafka})
    with pytest.raises(TransientError, match="does not answer"):
        await admin.bootstrap(away, topic_specs(away))
