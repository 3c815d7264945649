"""Which metrics and labels a query may name: those workers declare, what Prometheus adds, and what others expose."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import promql_parser as promql

from faust_app.runtime.metrics import DECLARED

TARGET = frozenset({"job", "instance", "stage", "broker", "worker"})  # every target of the scrape configuration
OF_A_PROCESS = {  # declared without labels, and meant of every worker
    "alpha_panda_worker_start_timestamp_seconds",
    "alpha_panda_slow_queries_total",
    "alpha_panda_query_duration_seconds",
}
FOREIGN = {
    "up": "Prometheus makes it for every target",
    "prometheus_rule_evaluation_failures_total": "Prometheus's own page",
    "prometheus_notifications_errors_total": "Prometheus's own page",
    "alertmanager_notifications_failed_total": "Alertmanager's own page",
}
LABELS = {one.name: frozenset(one.labels) for one in DECLARED}
HISTOGRAMS = {one.name for one in DECLARED if one.kind == "histogram"}


def selectors(query: str) -> Iterator[Any]:
    """Every selector of series. Raises ValueError for what is no query."""
    return (node for node in _nodes(query) if isinstance(node, promql.VectorSelector))


def problems(query: str, recorded: Collection[str]) -> list[str]:
    """Names and labels nobody exposes, and metrics every worker has but one sets, without saying which stage."""
    found = [problem for one in selectors(query) for problem in _of_selector(one, recorded)]
    known = TARGET | {"le", "group"} | frozenset().union(*LABELS.values())
    return found + [f"no metric has the label {label}" for label in _grouped(query) if label not in known]


def _nodes(query: str) -> list[Any]:
    found: list[Any] = []
    promql.walk(promql.parse(query), found.append)
    return found


def _of_selector(selector: Any, recorded: Collection[str]) -> Iterator[str]:
    name, matched = selector.name, {one.name for one in selector.matchers.matchers}
    if name in recorded or name in FOREIGN:
        return
    base = next((one for one in HISTOGRAMS if name in (f"{one}_bucket", f"{one}_count", f"{one}_sum")), name)
    if base not in LABELS or name in HISTOGRAMS:
        yield f"nobody exposes {name}"
        return
    unknown = matched - LABELS[base] - TARGET - ({"le"} if name.endswith("_bucket") else set())
    yield from (f"{name} has no label {label}" for label in sorted(unknown))
    if not LABELS[base] and base not in OF_A_PROCESS and "stage" not in matched:
        yield f"every worker exposes {name}: say which stage"


def _grouped(query: str) -> set[str]:
    labels: set[str] = set()
    for node in _nodes(query):
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            labels |= set(node.modifier.labels)
        if isinstance(node, promql.BinaryExpr) and node.modifier is not None and node.modifier.matching is not None:
            labels |= set(node.modifier.matching.labels) | set(node.modifier.group_labels or ())
    return labels
