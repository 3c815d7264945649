"""Which metrics and labels a rule may name: those workers declare, what Prometheus adds, and what others expose."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import promql_parser as promql

from tests.unit.observability.promql_tree import own_labels, selectors, tree, walk
from tools.dashboards.promql import FOREIGN, LABELS, OF_EVERY_WORKER, TARGET_LABELS

KNOWN = frozenset(TARGET_LABELS).union({"group"}, *LABELS.values())


def problems(query: str, recorded: Collection[str]) -> list[str]:
    """Names and labels nobody exposes, and metrics every worker has but one sets, without saying which stage."""
    found = [problem for one, _ in selectors(query) for problem in _of_selector(one, recorded)]
    return found + [f"no metric has the label {label}" for label in _grouped(query) if label not in KNOWN]


def _of_selector(selector: Any, recorded: Collection[str]) -> Iterator[str]:
    name, matched = selector.name, {one.name for one in selector.matchers.matchers}
    if name in recorded or name in FOREIGN:
        return
    if name not in LABELS:
        yield f"nobody exposes {name}"
        return
    yield from (f"{name} has no label {label}" for label in sorted(matched - own_labels(name)))
    if not LABELS[name] and name not in OF_EVERY_WORKER and "stage" not in matched:
        yield f"every worker exposes {name}: say which stage"


def _grouped(query: str) -> set[str]:
    labels: set[str] = set()
    for node, _ in walk(tree(query)):
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            labels |= set(node.modifier.labels)
        if isinstance(node, promql.BinaryExpr) and node.modifier is not None and node.modifier.matching is not None:
            labels |= set(node.modifier.matching.labels) | set(node.modifier.group_labels or ())
    return labels
