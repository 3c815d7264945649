"""Rules for dashboards, each yielding what is wrong with one. After github.com/grafana/dashboard-linter, and some more.

The linter itself is a Go program that package registries of Python do not have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import promql_parser as promql

from faust_app.runtime.settings import PROJECT
from tests.dashboard_queries import expressions, substituted
from tests.unit.observability.promql_tree import (
    labels_of,
    own_labels,
    selectors,
    tree,
    unknown_grouping,
    unmatched,
    walk,
)
from tools.dashboards.catalogue import PAGES

Board = dict[str, Any]
Rule = Callable[[Board], Iterator[str]]
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
UIDS = {page.uid for page in PAGES}
COLUMNS = 24
UNITS = {
    "none", "short", "percentunit", "currencyINR", "bytes", "dateTimeAsIso", "s", "ms", "dtdurations",
    "cps", "ops", "cpm",
}  # fmt: skip
BUILT_IN = {"__rate_interval", "__range", "__url_time_range", "__all_variables"}
WITHOUT_TARGET = {"ALERTS": "Prometheus makes these series itself, with the labels of the alert"}
OF_THE_MONITOR = "the monitor measures it of other workers, so it has the monitor's instance"
WITHOUT_INSTANCE_ON_WORKERS = {
    "alpha_panda_consumer_lag_messages": OF_THE_MONITOR,
    "alpha_panda_oldest_unhandled_timestamp_seconds": OF_THE_MONITOR,
}
MARKED_TIMES = {"$__rate_interval": "7001s", "$__range": "7013s"}  # nobody writes these
RULES: dict[str, Rule] = {}


def rule(function: Rule) -> Rule:
    """Add to the rules."""
    RULES[function.__name__.replace("_", "-")] = function
    return function


def _variables(board: Board) -> dict[str, Board]:
    return {one["name"]: one for one in board["templating"]["list"]}


def _panels(board: Board) -> list[Board]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def _queries(board: Board) -> Iterator[tuple[str, str]]:
    """Panel and query, of those that parse: the others are the business of target-promql."""
    for panel, expr in expressions(board):
        asked = substituted(expr, board)
        try:
            tree(asked)
        except ValueError:
            continue
        yield panel, asked


def _every_selector(board: Board) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    for panel, expr in _queries(board):
        for selector, above in selectors(expr):
            yield panel, selector, above


@rule
def template_datasource(board: Board) -> Iterator[str]:
    found = _variables(board).get("datasource", {})
    wanted = {"type": "datasource", "query": "prometheus", "label": "Data source"}
    if not wanted.items() <= found.items():
        yield f"variable datasource is {found}"


def _template(board: Board, name: str) -> Iterator[str]:
    found = _variables(board).get(name, {})
    wanted = {
        "type": "query", "label": name.capitalize(), "multi": True, "includeAll": True, "allValue": ".+", "refresh": 2,
        "datasource": DATASOURCE,
    }  # fmt: skip
    for key, value in wanted.items():
        if found.get(key) != value:
            yield f"variable {name}: {key} is {found.get(key)!r}, not {value!r}"


@rule
def template_job(board: Board) -> Iterator[str]:
    return _template(board, "job")


@rule
def template_instance(board: Board) -> Iterator[str]:
    return _template(board, "instance")


@rule
def template_others(board: Board) -> Iterator[str]:
    for name in _variables(board).keys() - {"datasource", "job", "instance", "runbooks"}:
        yield from _template(board, name)


@rule
def template_label_promql(board: Board) -> Iterator[str]:
    for name, one in _variables(board).items():
        if one["type"] != "query":
            continue
        asked = re.fullmatch(r"label_values\((.+), (\w+)\)", one["definition"])
        if asked is None or one["query"]["query"] != one["definition"]:
            yield f"variable {name}: {one['definition']}"
            continue
        try:
            ((selector, _),) = selectors(substituted(asked[1], board))
        except ValueError as error:
            yield f"variable {name}: {error}"
            continue
        if asked[2] not in own_labels(selector.name):
            yield f"variable {name}: {selector.name} has no label {asked[2]}"


@rule
def variables_are_used(board: Board) -> Iterator[str]:
    urls = [link["url"] for panel in _panels(board) for link in panel["links"]]
    definitions = [one["definition"] for one in _variables(board).values() if one["type"] == "query"]
    text = " ".join([expr for _, expr in expressions(board)] + urls + definitions)
    used = set(re.findall(r"\$\{?(\w+)", text)) | {"datasource"}
    yield from (f"${name} is not defined" for name in used - _variables(board).keys() - BUILT_IN)
    yield from (f"${name} is not used" for name in _variables(board).keys() - used - {"runbooks"})


@rule
def conventions(board: Board) -> Iterator[str]:
    if not re.fullmatch(r"ap-[a-z_-]{3,37}", board["uid"]):
        yield f"uid {board['uid']}"
    for key, value in {"id": None, "editable": False, "timezone": "Asia/Kolkata"}.items():
        if board[key] != value:
            yield f"{key} is {board[key]!r}"
    if board["schemaVersion"] < 39:
        yield f"schemaVersion {board['schemaVersion']}"
    yield from (f"no {key}" for key in ("refresh", "tags", "title", "description") if not board.get(key))


@rule
def panel_datasource(board: Board) -> Iterator[str]:
    for panel in _panels(board):
        if any(one.get("datasource") != DATASOURCE for one in (panel, *panel["targets"])):
            yield panel["title"]
    for one in board["annotations"]["list"]:
        if one["datasource"] != DATASOURCE:
            yield one["name"]


@rule
def panel_title_description(board: Board) -> Iterator[str]:
    for panel in _panels(board):
        if not panel["title"] or len(panel["description"]) < 15 or not panel["description"].endswith("."):
            yield f"{panel['title']}: {panel['description']}"


@rule
def panel_units(board: Board) -> Iterator[str]:
    for panel in _panels(board):
        unit = panel["fieldConfig"]["defaults"].get("unit")
        money = any("_rupees" in one["expr"] and " / " not in one["expr"] for one in panel["targets"])
        if unit not in UNITS or (unit == "currencyINR") != money:
            yield f"{panel['title']}: {unit}"


@rule
def panel_thresholds(board: Board) -> Iterator[str]:
    for panel in _panels(board):
        found = panel["fieldConfig"]["defaults"]["thresholds"]
        first, *rest = [step["value"] for step in found["steps"]]
        if found["mode"] != "absolute" or first is not None or rest != sorted(rest):
            yield panel["title"]


@rule
def panel_no_targets(board: Board) -> Iterator[str]:
    for panel in _panels(board):
        names = [one["refId"] for one in panel["targets"]]
        if not names or len(set(names)) != len(names):
            yield panel["title"]


@rule
def panel_ids(board: Board) -> Iterator[str]:
    ids = [panel["id"] for panel in board["panels"]]
    yield from (f"id {one} is taken twice" for one in set(ids) if ids.count(one) > 1)


@rule
def panel_places(board: Board) -> Iterator[str]:
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        if place["x"] < 0 or place["x"] + place["w"] > COLUMNS or place["w"] < 3 or place["h"] < 1:
            yield f"{panel['title']} is beside the grid"
        for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])):  # fmt: skip
            if cell in taken:
                yield f"{panel['title']} lies on {taken[cell]}"
                break
            taken[cell] = panel["title"]


@rule
def links(board: Board) -> Iterator[str]:
    for panel in _panels(board):
        for link in panel["links"]:
            if page := re.fullmatch(r"/d/([\w-]+)\?\$\{__url_time_range\}&\$\{__all_variables\}", link["url"]):
                if page[1] not in UIDS:
                    yield f"{panel['title']}: no dashboard {page[1]}"
            elif runbook := re.fullmatch(r"\$\{runbooks\}/([\w.-]+)", link["url"]):
                if not (PROJECT / "docs" / "runbooks" / runbook[1]).is_file():
                    yield f"{panel['title']}: no runbook {runbook[1]}"
            else:
                yield f"{panel['title']}: {link['url']}"


@rule
def dashboard_links(board: Board) -> Iterator[str]:
    tags = {tag for link in board["links"] if link["type"] == "dashboards" for tag in link["tags"]}
    there = {"alpha-panda", "alpha-panda-worker"}
    if tags != there or not set(board["tags"]) <= there:
        yield f"links to {sorted(tags)}, tagged {board['tags']}"


@rule
def target_promql(board: Board) -> Iterator[str]:
    for panel, expr in expressions(board):
        try:
            tree(substituted(expr, board))
        except ValueError as error:
            yield f"{panel}: {error}"


@rule
def target_rate_interval(board: Board) -> Iterator[str]:
    """`rate` over anything else misses scrapes or blurs; `increase` and `changes` may be over all that is shown."""
    for panel, expr in expressions(board):
        for node, above in walk(tree(substituted(expr, board, MARKED_TIMES))):
            if isinstance(node, promql.MatrixSelector):
                function, seconds = above[-1].func.name, f"{node.range.total_seconds():.0f}s"
                allowed = [name for name, value in MARKED_TIMES.items() if value == seconds]
                if not allowed or (allowed == ["$__range"] and function not in {"increase", "changes"}):
                    yield f"{panel}: {function} over {(*allowed, seconds)[0]}"


@rule
def target_counter_agg(board: Board) -> Iterator[str]:
    for panel, selector, above in _every_selector(board):
        if selector.name.endswith(("_total", "_bucket", "_count", "_sum")):
            function = above[-2].func.name if len(above) > 1 and isinstance(above[-2], promql.Call) else ""
            if function not in {"rate", "increase"}:
                yield f"{panel}: {selector.name} without rate"


def _misses(board: Board, label: str, excused: set[str]) -> Iterator[str]:
    for panel, expr in expressions(board):
        for selector, _ in selectors(substituted(expr, board)):
            bound = any((one.name, one.value) == (label, ".+") for one in selector.matchers.matchers)
            if not bound and selector.name not in excused:
                yield f"{panel}: {selector.name} not of the chosen {label}"


@rule
def target_job(board: Board) -> Iterator[str]:
    return _misses(board, "job", set(WITHOUT_TARGET))


@rule
def target_instance(board: Board) -> Iterator[str]:
    on_worker = board["uid"].startswith("ap-worker-")
    return _misses(board, "instance", {*WITHOUT_TARGET, *(WITHOUT_INSTANCE_ON_WORKERS if on_worker else ())})


@rule
def target_metric_exists(board: Board) -> Iterator[str]:
    for panel, selector, _ in _every_selector(board):
        try:
            known = own_labels(selector.name)
        except KeyError:
            yield f"{panel}: nobody exposes {selector.name}"
            continue
        for one in selector.matchers.matchers:
            if one.name not in known:
                yield f"{panel}: {selector.name} has no label {one.name}"


@rule
def target_labels(board: Board) -> Iterator[str]:
    for panel, expr in _queries(board):
        try:
            yield from (f"{panel}: {one} is no label of what it groups" for one in unknown_grouping(expr))
            yield from (f"{panel}: never match: {one}" for one in unmatched(expr))
        except KeyError:
            continue  # target-metric-exists tells


@rule
def target_legend(board: Board) -> Iterator[str]:
    for panel in _panels(board):
        for one in panel["targets"]:
            used = set(re.findall(r"\{\{(\w+)\}\}", one["legendFormat"]))
            try:
                there = labels_of(tree(substituted(one["expr"], board))) or frozenset()
            except (ValueError, KeyError):
                continue  # other rules tell
            if not one["legendFormat"] or not used <= there:
                yield f"{panel['title']}: {one['legendFormat']} of {sorted(there)}"
