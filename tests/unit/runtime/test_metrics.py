"""Every metric is declared once, with a meaning, under the project's names."""

from __future__ import annotations

import re

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from faust_app.runtime import metrics
from faust_app.runtime.metrics import DECLARED, LATENCY_BUCKETS, PREFIX, MetricSpec, note_maximum

UNBOUNDED = {"symbol", "instrument", "tradingsymbol", "order_id", "signal_id", "correlation_id", "id", "offset", "key"}
KINDS = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}
OBJECTS = {name: found for name, found in vars(metrics).items() if isinstance(found, MetricWrapperBase)}


@pytest.fixture(params=DECLARED, ids=lambda spec: spec.name)
def spec(request: pytest.FixtureRequest) -> MetricSpec:
    found: MetricSpec = request.param
    return found


def test_metric_has_a_meaning_and_a_name_of_ours(spec: MetricSpec) -> None:
    assert spec.name.startswith(PREFIX)
    assert re.fullmatch(r"[a-z][a-z0-9_]+[a-z0-9]", spec.name)
    assert len(spec.meaning) > 10
    assert spec.meaning[0].isupper() or spec.meaning[0].isdigit()
    assert not spec.meaning.endswith(".")


def test_name_ends_with_the_unit(spec: MetricSpec) -> None:
    assert (spec.kind == "counter") == spec.name.endswith("_total")
    if spec.kind == "histogram":
        assert spec.name.endswith("_seconds")
    assert not spec.name.endswith(("_ms", "_milliseconds", "_age_seconds"))
    if "timestamp" in spec.name:
        assert spec.kind == "gauge"
        assert spec.name.endswith("_timestamp_seconds")


def test_labels_are_bounded(spec: MetricSpec) -> None:
    assert len(set(spec.labels)) == len(spec.labels)
    assert not UNBOUNDED & set(spec.labels)
    assert all(re.fullmatch(r"[a-z_]+", label) for label in spec.labels)


def test_metric_is_what_its_declaration_says(spec: MetricSpec) -> None:
    (found,) = [one for one in OBJECTS.values() if one._name == spec.name.removesuffix("_total")]
    assert isinstance(found, KINDS[spec.kind])
    assert found._labelnames == spec.labels
    assert found._documentation == spec.meaning


def test_nothing_is_declared_twice_or_not_at_all() -> None:
    names = [spec.name for spec in DECLARED]
    assert len(names) == len(set(names)) == len(OBJECTS)
    served = {family.name for family in REGISTRY.collect() if family.name.startswith(PREFIX)}
    assert served == {name.removesuffix("_total") for name in names}


def test_latency_buckets_have_an_edge_at_each_objective() -> None:
    assert list(LATENCY_BUCKETS) == sorted(set(LATENCY_BUCKETS))
    assert {0.015, 0.06, 5.0} <= set(LATENCY_BUCKETS)


def test_maximum_only_rises() -> None:
    registry = CollectorRegistry()
    gauge = Gauge("highest", "x", ("broker",), registry=registry)
    shown = []
    for value in (0.0, 0.2, 0.1, 0.2, 3.0, 2.0):
        note_maximum(gauge.labels("paper"), value)
        shown.append(registry.get_sample_value("highest", {"broker": "paper"}))
    assert shown == [0.0, 0.2, 0.2, 0.2, 3.0, 3.0]
    note_maximum(gauge.labels("zerodha"), 1.0)
    assert registry.get_sample_value("highest", {"broker": "paper"}) == 3.0
