"""Faust's own figures as `faust_*`: its sensor for Prometheus, on the page every worker has."""

from __future__ import annotations

from faust.sensors.prometheus import FaustMetrics, PrometheusMonitor

from faust_app.runtime.metrics import OWN

PREFIX = "faust"
FIGURES = FaustMetrics.create(OWN, PREFIX)  # once a process: a registry takes no name twice


def faust_monitor() -> PrometheusMonitor:
    """The monitor of one app."""
    return PrometheusMonitor(metrics=FIGURES)
