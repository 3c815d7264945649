"""Queries of panels: a metric by its declared name with the matchers of the page, and the shapes that come again.

A name that is not declared is a KeyError here, before Grafana would show an empty panel.
"""

from __future__ import annotations

from dataclasses import dataclass

from faust_app.runtime.metrics import DECLARED, PREFIX

RATE = "$__rate_interval"
RANGE = "$__range"
SUFFIXES = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("",), "gauge": ("",)}

# What a scrape adds to every series that has no such label of its own.
TARGET_LABELS = ("job", "instance", "stage", "broker", "worker")

# Declared without `stage` and `broker`, and set by more than one worker: the target's labels tell them apart.
OF_EVERY_WORKER = {
    f"{PREFIX}{name}"
    for name in ("client_starts_total", "query_duration_seconds", "slow_queries_total", "log_lines_total",
                 "worker_start_timestamp_seconds")
}  # fmt: skip

# Metrics we do not declare: labels they have beyond the target's.
FOREIGN: dict[str, tuple[str, ...]] = {
    "up": (),  # Prometheus: whether the last scrape succeeded
    "ALERTS": ("alertname", "alertstate", "severity"),  # Prometheus: pending and firing alerts
    "prometheus_rule_evaluation_failures_total": ("rule_group",),
    "prometheus_notifications_errors_total": ("alertmanager",),
    "alertmanager_notifications_failed_total": ("integration",),
    # prometheus-client: the process
    "process_cpu_seconds_total": (),
    "process_resident_memory_bytes": (),
    "process_open_fds": (),
    "process_max_fds": (),
    "python_gc_collections_total": ("generation",),
    # Faust's sensor
    "faust_table_operations_total": ("table", "operation"),
    "faust_consumer_commit_latency_bucket": ("le",),
    "faust_total_rebalances_recovering": (),
}
LABELS = {spec.name + suffix: spec.labels + ("le",) * (suffix == "_bucket") for spec in DECLARED
          for suffix in SUFFIXES[spec.kind]}  # fmt: skip


def full_name(name: str) -> str:
    """The metric's name in Prometheus; ours are given without the prefix. Raises KeyError when nobody exposes it."""
    if name in FOREIGN:
        return name
    if PREFIX + name not in LABELS:
        raise KeyError(f"{PREFIX}{name} is not declared")
    return PREFIX + name


@dataclass(frozen=True)
class Scope:
    """Which series a page looks at: `stage` is its matcher of stages, empty where the page has none.

    `outside`: series of another worker than the one the page is about, so not of the chosen instances.
    """

    stage: str = ""
    has_broker: bool = True
    outside: bool = False

    def __call__(self, name: str, *matchers: str) -> str:
        """A selector: `name` with the page's matchers and `matchers`."""
        full = full_name(name)
        return f"{full}{{{','.join((*self._matchers(full), *matchers))}}}"

    def _matchers(self, name: str) -> list[str]:
        labels = LABELS.get(name, ())
        of_worker = name in FOREIGN or name.removesuffix("_bucket").removesuffix("_count") in OF_EVERY_WORKER
        found = ['job=~"$job"']
        if not self.outside:
            found.append('instance=~"$instance"')
        if "stage" in labels or of_worker:
            found.append(self.stage or 'worker=~".+"')
            if self.has_broker:
                found.append('broker=~"$broker|shared"')
        elif "broker" in labels and self.has_broker:
            found.append('broker=~"$broker"')
        return found

    def rate(self, name: str, *matchers: str, by: str = "") -> str:
        """Per second, summed up by the labels `by`."""
        return f"sum{_by(by)}(rate({self(name, *matchers)}[{RATE}]))"

    def a_minute(self, name: str, *matchers: str, by: str = "") -> str:
        """Per minute, for what happens rarely."""
        return f"60 * {self.rate(name, *matchers, by=by)}"

    def counted(self, name: str, *matchers: str, by: str = "") -> str:
        """How often within the time the page shows; 0 where nothing has happened and somebody is there to count."""
        return self.or_zero(f"sum{_by(by)}(increase({self(name, *matchers)}[{RANGE}]))", by=by)

    def or_zero(self, query: str, *, by: str = "") -> str:
        """`query`, and 0 where it has nothing as long as workers run: a counter is not there before its first event.

        `by`: the labels of `query`: none, or some of `stage`, `broker` and `worker`.
        """
        workers = self("worker_ready", *(['broker!="shared"'] if by == "broker" else []))
        return f"{query} or 0 * {f'max{_by(by)}({workers})' if by else f'count({workers})'}"

    def rarely(self, name: str, *matchers: str, by: str) -> str:
        """Per minute, and 0 where it has never happened."""
        return self.or_zero(self.a_minute(name, *matchers, by=by), by=by)

    def quantile(self, fraction: float, name: str, *matchers: str, by: str = "") -> str:
        """A quantile of a histogram, by the labels `by`."""
        labels = ", ".join(("le", *filter(None, [by])))
        return (
            f"histogram_quantile({fraction:g}, sum by ({labels}) (rate({self(f'{name}_bucket', *matchers)}[{RATE}])))"
        )

    def within(self, name: str, edge: str, *, by: str = "") -> str:
        """Share of observations of a histogram not above the bucket edge `edge`."""
        below = self.rate(f"{name}_bucket", f'le="{edge}"', by=by)
        return f"{below} / {self.rate(f'{name}_count', by=by)}"

    def since(self, name: str, *matchers: str, by: str = "") -> str:
        """Seconds since the latest of the times `name` has; 0 in it means never."""
        return f"time() - max{_by(by)}({self(name, *matchers)} > 0)"

    def waiting_since(self, name: str, *matchers: str, by: str) -> str:
        """Seconds since the earliest of the times `name` has, 0 where each of them is 0: nothing waits."""
        times = self(name, *matchers)
        return f"time() - min{_by(by)}({times} > 0) or 0 * min{_by(by)}({times})"


def _by(labels: str) -> str:
    return f" by ({labels}) " if labels else ""
