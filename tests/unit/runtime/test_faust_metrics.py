"""Faust's sensor with remembered labels counts what the plain one counts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from faust.sensors.prometheus import FaustMetrics, PrometheusMonitor
from faust.types import TP
from prometheus_client import CollectorRegistry, Counter, generate_latest

from faust_app.runtime.faust_metrics import FaustMonitor, Remembered, remembered


class Stream:
    """As much of a stream as the sensor looks at."""

    def __init__(self, name: str) -> None:
        self.task_owner = self
        self.shortlabel = f"Stream: Topic: {name}"


def messages(monitor: Any) -> None:
    """Two partitions of two topics, and what is done with them."""
    streams = {name: Stream(name) for name in ("paper.signals.raw", "control.events")}
    for offset in range(3):
        for number, (name, stream) in enumerate(streams.items()):
            tp, event = TP(name, offset % 2), SimpleNamespace()
            monitor.on_message_in(tp, offset, SimpleNamespace(time_in=None))
            monitor.on_stream_event_out(
                tp, offset, stream, event, monitor.on_stream_event_in(tp, offset, stream, event)
            )
            monitor.on_table_get(SimpleNamespace(name="orders"), b"k")
            monitor.on_table_set(SimpleNamespace(name=f"table-{number}"), b"k", b"v")
            monitor.track_tp_end_offset(tp, 10 + offset)


def page(kind: type[PrometheusMonitor], *, cached: bool) -> list[str]:
    """What is exposed after these messages, without durations."""
    registry = CollectorRegistry()
    figures = FaustMetrics.create(registry, "faust")
    messages(kind(remembered(figures) if cached else figures))
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if "_ms_bucket" not in line and "_ms_sum" not in line]


def test_it_counts_what_the_plain_sensor_counts() -> None:
    plain = page(PrometheusMonitor, cached=False)
    assert page(FaustMonitor, cached=True) == plain
    assert sum("control" in line for line in plain) > 3


def test_values_in_another_order_are_not_mixed_up() -> None:
    counter = Remembered(Counter("moves", "Moves", ["of", "to"], registry=CollectorRegistry()))
    counter.labels(of="a", to="b").inc()
    counter.labels(to="b", of="a").inc()
    counter.labels(of="b", to="a").inc(5)
    assert counter.labels(of="a", to="b")._value.get() == 2


def test_a_label_that_does_not_exist_is_refused_each_time() -> None:
    counter = Remembered(Counter("stops", "Stops", ["of"], registry=CollectorRegistry()))
    for _ in range(2):
        with pytest.raises(ValueError, match="label names"):
            counter.labels(to="b")
