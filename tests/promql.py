"""Reads queries as Prometheus does."""

from __future__ import annotations

import re
from typing import Any

import promql_parser

WHEN = re.compile(r" (offset|@) .*$")


def selectors(query: str) -> set[str]:
    """Every selector of series in the query, without offset and range. Raises ValueError for what is no query."""
    found: set[str] = set()

    def visit(expression: Any) -> None:
        if isinstance(expression, promql_parser.VectorSelector):
            found.add(WHEN.sub("", expression.prettify()))

    promql_parser.walk(promql_parser.parse(query), visit)
    return found
