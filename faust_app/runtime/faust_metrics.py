"""Faust's own figures as `faust_*`: its sensor for Prometheus, on the page every worker has.

The sensor looks its labels up anew with every message, which costs more than the counting; here they are remembered.
"""

from __future__ import annotations

from typing import Any, cast
from weakref import WeakKeyDictionary

from faust.sensors.prometheus import FaustMetrics, PrometheusMonitor
from prometheus_client.metrics import MetricWrapperBase

from faust_app.runtime.metrics import OWN

PREFIX = "faust"


class Remembered:
    """A metric with labels that finds what it has had before by their values as they are given."""

    def __init__(self, metric: MetricWrapperBase) -> None:
        self._metric = metric
        self._children: dict[tuple[tuple[str, object], ...], Any] = {}

    def labels(self, **values: object) -> Any:
        """The child with these values of its labels."""
        key = tuple(values.items())
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._metric.labels(**values)
        return child


class FaustMonitor(PrometheusMonitor):
    """Also remembers what its streams are called."""

    def __init__(self, metrics: FaustMetrics) -> None:
        super().__init__(metrics=metrics)
        self._names: WeakKeyDictionary[object, str] = WeakKeyDictionary()

    def _stream_label(self, stream: object) -> str:
        name = self._names.get(stream)
        if name is None:
            name = self._names[stream] = cast(str, super()._stream_label(stream))
        return name


def remembered(figures: FaustMetrics) -> FaustMetrics:
    """The same metrics; those with labels remember."""
    found = {
        name: Remembered(metric) if metric._labelnames else metric
        for name, metric in figures._asdict().items()
        if isinstance(metric, MetricWrapperBase)
    }
    return figures._replace(**found)


FIGURES = remembered(FaustMetrics.create(OWN, PREFIX))  # once a process: a registry takes no name twice


def faust_monitor() -> PrometheusMonitor:
    """The monitor of one app."""
    return FaustMonitor(FIGURES)
