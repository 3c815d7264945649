"""What can be said of a query from its syntax tree: its selectors, and the labels its result can have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import promql_parser as promql

from tools.dashboards.promql import FOREIGN, LABELS, TARGET_LABELS

Labels = frozenset[str]
SETS = ("and", "or", "unless")
KEEPING = ("topk", "bottomk")
NOTHING: Labels = frozenset()


def tree(expr: str) -> Any:
    """The syntax tree. Raises ValueError when Prometheus would refuse the query."""
    return promql.parse(expr)


def walk(node: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Every node with those above it, the nearest last."""
    yield node, above
    for child in _children(node):
        yield from walk(child, (*above, node))


def _children(node: Any) -> list[Any]:
    match node:
        case promql.BinaryExpr():
            return [node.lhs, node.rhs]
        case promql.Call():
            return list(node.args)
        case promql.MatrixSelector():
            return [node.vector_selector]
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return [node.expr]
    return []


def selectors(expr: str) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Every selector of series with the nodes above it."""
    return ((node, above) for node, above in walk(tree(expr)) if isinstance(node, promql.VectorSelector))


def own_labels(metric: str) -> Labels:
    """Labels a metric's series can have. Raises KeyError when nobody exposes it."""
    return frozenset(FOREIGN[metric] if metric in FOREIGN else LABELS[metric]) | frozenset(TARGET_LABELS)


def labels_of(node: Any) -> Labels | None:
    """Labels the result can have; None: it is a scalar."""
    match node:
        case promql.VectorSelector():
            return own_labels(node.name)
        case promql.MatrixSelector():
            return labels_of(node.vector_selector)
        case promql.AggregateExpr():
            return _aggregated(node)
        case promql.Call():
            return _called(node)
        case promql.BinaryExpr():
            return _combined(node)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return labels_of(node.expr)
    return None


def _aggregated(node: Any) -> Labels:
    inner = labels_of(node.expr) or NOTHING
    if str(node.op) in KEEPING:
        return inner
    if node.modifier is None:
        return NOTHING
    named = frozenset(node.modifier.labels)
    return named if node.modifier.type == promql.AggModifierType.By else inner - named


def _called(node: Any) -> Labels | None:
    if node.func.name == "vector":
        return NOTHING
    vectors = [labels for one in node.args if (labels := labels_of(one)) is not None]
    if not vectors:
        return None
    return vectors[0] - {"le"} if node.func.name == "histogram_quantile" else vectors[0]


def _combined(node: Any) -> Labels | None:
    left, right = labels_of(node.lhs), labels_of(node.rhs)
    if left is None or right is None:
        return left if right is None else right
    match str(node.op):
        case "or":
            return left | right
        case "and" | "unless":
            return left
    if not (node.modifier and node.modifier.matching):
        return left & right
    added = frozenset(node.modifier.group_labels or ())
    return left | added if added else frozenset(node.modifier.matching.labels)


def unmatched(expr: str) -> Iterator[str]:
    """Operations between vectors whose labels differ: without `on` they never meet."""
    for node, _ in walk(tree(expr)):
        if isinstance(node, promql.BinaryExpr) and str(node.op) not in SETS:
            left, right = labels_of(node.lhs), labels_of(node.rhs)
            if not (left is None or right is None or left == right or (node.modifier and node.modifier.matching)):
                yield f"{sorted(left)} {node.op} {sorted(right)}"


def unknown_grouping(expr: str) -> Iterator[str]:
    """Labels an aggregation keeps that what it aggregates cannot have."""
    for node, _ in walk(tree(expr)):
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            yield from sorted(set(node.modifier.labels) - (labels_of(node.expr) or NOTHING))
