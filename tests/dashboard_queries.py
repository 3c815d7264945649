"""Every query of the dashboards as Prometheus gets it, and which of them may find nothing while all is well."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from faust_app.runtime.settings import PROJECT

FOLDER = PROJECT / "grafana" / "dashboards"
SUBSTITUTES = {"$__rate_interval": "1m", "$__range": "5m"}
ALL = ".+"  # the value of a variable with all its values chosen


def dashboards(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Every dashboard of the folder by uid."""
    found = (json.loads(file.read_text()) for file in sorted(folder.glob("*.json")))
    return {board["uid"]: board for board in found}


def substituted(expr: str, board: Mapping[str, Any], times: Mapping[str, str] = SUBSTITUTES) -> str:
    """`expr` with every value of the dashboard's variables chosen."""
    for name, value in times.items():
        expr = expr.replace(name, value)
    for variable in board["templating"]["list"]:
        expr = expr.replace(f"${variable['name']}", ALL)
    return expr


def expressions(board: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Panel and query as written, the annotations' queries included."""
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for annotation in board["annotations"]["list"]:
        yield f"annotation {annotation['name']}", annotation["expr"]


def queries(folder: Path = FOLDER) -> Iterator[tuple[str, str, str]]:
    """Dashboard, panel, query."""
    for uid, board in dashboards(folder).items():
        for panel, expr in expressions(board):
            yield uid, panel, substituted(expr, board)


MAY_BE_EMPTY = {  # metrics that have no series as long as all is well: queries about them may find nothing
    "alpha_panda_dead_letters_total": "nothing is diverted while every message can be handled",
    "alpha_panda_retries_total": "nothing is tried again while every dependency answers",
    "alpha_panda_strategy_errors_total": "no strategy of the sandbox raises",
    "alpha_panda_order_alarms_total": "no report contradicts its order",
    "alpha_panda_broker_failures_total": "no call to the broker fails",
    "alpha_panda_notices_total": "nobody has asked for notices",
}

ONLY_LIVE = {  # metrics of an account that trades for real, or against the sandbox as if it were real
    f"alpha_panda_{name}"
    for name in (
        "account_lease_held", "broker_breaker_open", "broker_call_duration_seconds", "broker_calls_total",
        "clock_skew_seconds", "feed_text_frames_total", "kite_session_expiry_timestamp_seconds", "kite_session_valid",
        "last_reconciliation_timestamp_seconds", "order_calls_left", "orders_doubled", "orders_foreign",
        "orders_unknown", "positions_unprotected", "preflight_failed", "preflight_passed_timestamp_seconds",
        "reconciliation_differences", "reconciliations_total", "triggers_foreign", "triggers_standing",
    )
}  # fmt: skip


def excuse(expr: str, *, is_live: bool) -> str | None:
    """Why the query may find nothing although all is well; None: it must find something.

    `is_live`: an engine of the running stack trades live, `brokers.<name>.execution: live`.
    """
    named = set(re.findall(r"\balpha_panda_\w+", expr))
    named |= {re.sub(r"_(bucket|count|sum)$", "", name) for name in named}
    if not is_live and named & ONLY_LIVE:
        return "no engine trades live"
    return next((reason for metric, reason in MAY_BE_EMPTY.items() if metric in named), None)
