"""Panels of a dashboard, without a place on the page yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.dashboards.promql import RANGE

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
RUPEES = "currencyINR"
Steps = Sequence[tuple[float | None, str]]
Json = dict[str, Any]

PLAIN: Steps = ((None, "blue"),)
NONE_IS_GOOD: Steps = ((None, "green"), (1, "red"))
SOME_IS_GOOD: Steps = ((None, "red"), (1, "green"))
SIGN: Steps = ((None, "red"), (0, "green"))
ORDER_LATENCY: Steps = ((None, "green"), (0.015, "yellow"), (0.06, "red"))
SILENCE: Steps = ((None, "green"), (10, "yellow"), (15, "red"))  # up to 5 s are the scrapes'
BACKLOG: Steps = ((None, "green"), (1000, "yellow"), (10000, "red"))
YES_NO = {0: ("No", "red"), 1: ("Yes", "green")}
UP_DOWN = {0: ("Down", "red"), 1: ("Up", "green")}
TRADING_STATES = {0: ("Active", "green"), 1: ("Reducing", "orange"), 2: ("Halted", "red")}
NOT_A_NUMBER = {  # a quantile or a share of nothing
    "options": {"match": "nan", "result": {"color": "text", "index": 9, "text": "none"}},
    "type": "special",
}
MARKET = {0: ("Closed", "blue"), 1: ("Open", "green")}


@dataclass(frozen=True)
class Query:
    """One query of a panel; `legend` names its series."""

    expr: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """One panel: its size in columns and rows of the grid, and Grafana's JSON but for id and position."""

    width: int
    height: int
    body: Json


@dataclass(frozen=True)
class Row:
    """Panels under one heading; `title` empty: without a heading."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Look:
    """How values are shown. `steps`: thresholds, the first without a value; `states`: texts and colours of values.

    `nothing`: what to say while there are no series.
    """

    unit: str
    steps: Steps = PLAIN
    states: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    decimals: int | None = None
    least: float | None = None
    most: float | None = None
    nothing: str | None = None

    def defaults(self, color: str, custom: Json | None = None) -> Json:
        """Grafana's field defaults."""
        steps = [{"color": name, "value": value} for value, name in self.steps]
        found: Json = {
            "color": {"mode": color},
            "mappings": self._mappings(),
            "thresholds": {"mode": "absolute", "steps": steps},
            "unit": self.unit,
        }
        more = {
            "decimals": self.decimals,
            "min": self.least,
            "max": self.most,
            "noValue": self.nothing,
            "custom": custom,
        }
        return found | {name: value for name, value in more.items() if value is not None}

    def _mappings(self) -> list[Json]:
        if not self.states:
            return []
        options = {
            str(value): {"color": color, "index": index, "text": text}
            for index, (value, (text, color)) in enumerate(self.states.items())
        }
        return [{"type": "value", "options": options}]


PER_SECOND, PER_MINUTE = Look("cps", least=0), Look("cpm", least=0)
RARE = Look("cpm", least=0, nothing="Nothing counted so far")
COUNT, SECONDS = Look("short", least=0), Look("s", least=0)
IS_SO = Look("none", states=YES_NO)


def stat(
    title: str, description: str, look: Look, *queries: Query, width: int = 3, links: Sequence[Json] = ()
) -> Panel:
    """A figure of now, on a coloured ground where the colour says something."""
    options = {
        "colorMode": "value" if look.steps == PLAIN and not look.states else "background",
        "graphMode": "none" if look.states else "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "auto" if len(queries) == 1 and not queries[0].legend.count("{{") else "value_and_name",
        "wideLayout": True,
    }
    defaults = look.defaults("thresholds")
    if any(divider in query.expr for query in queries for divider in ("quantile(", " / ")):
        defaults["mappings"].append(NOT_A_NUMBER)
    return _panel("stat", title, description, defaults, options, queries, (width, 4), links)


def series(
    title: str,
    description: str,
    look: Look,
    *queries: Query,
    width: int = 8,
    height: int = 7,
    stack: bool = False,
    links: Sequence[Json] = (),
) -> Panel:
    """Lines over time; with thresholds beyond the first they are drawn, too."""
    custom = {
        "drawStyle": "line",
        "fillOpacity": 30 if stack else 8,
        "lineWidth": 1,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stack else "none"},
        "thresholdsStyle": {"mode": "dashed" if len(look.steps) > 1 else "off"},
    }
    options = {
        "legend": {"calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    defaults = look.defaults("palette-classic", custom)
    return _panel("timeseries", title, description, defaults, options, queries, (width, height), links)


def states(
    title: str, description: str, look: Look, *queries: Query, width: int = 12, links: Sequence[Json] = ()
) -> Panel:
    """Which state each series was in over time."""
    options = {
        "alignValue": "left",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "mergeValues": True,
        "rowHeight": 0.9,
        "showValue": "never",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    defaults = look.defaults("thresholds", {"fillOpacity": 80, "lineWidth": 0})
    return _panel("state-timeline", title, description, defaults, options, queries, (width, 7), links)


def bars(
    title: str, description: str, look: Look, query: Query, *, width: int = 8, links: Sequence[Json] = ()
) -> Panel:
    """One bar per series of now, the longest first."""
    options = {
        "displayMode": "basic",
        "minVizHeight": 16,
        "minVizWidth": 8,
        "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showUnfilled": True,
        "valueMode": "color",
    }
    one = Query(f"sort_desc({query.expr})", query.legend)
    return _panel(
        "bargauge", title, description, look.defaults("thresholds"), options, [one], (width, 7), links, instant=True
    )


def table(
    title: str, description: str, query: Query, columns: Mapping[str, str], *, width: int, links: Sequence[Json] = ()
) -> Panel:
    """One row per series of now; `columns`: labels to show, in their order, by their headings."""
    options = {"cellHeight": "sm", "footer": {"show": False}, "showHeader": True}
    order = {"indexByName": {label: at for at, label in enumerate(columns)}, "renameByName": dict(columns)}
    shown = {"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}}
    defaults = Look("none", nothing="Nothing").defaults("thresholds")
    found = _panel("table", title, description, defaults, options, [query], (width, 8), links, instant=True)
    found.body["targets"][0]["format"] = "table"
    found.body["transformations"] = [shown, {"id": "organize", "options": order}]
    return found


def _panel(
    kind: str, title: str, description: str, defaults: Json, options: Json, queries: Sequence[Query],
    size: tuple[int, int], links: Sequence[Json], *, instant: bool = False,
) -> Panel:  # fmt: skip
    targets = [_target(at, query, instant=instant or RANGE in query.expr) for at, query in enumerate(queries)]
    body = {
        "datasource": DATASOURCE,
        "description": description,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "links": list(links),
        "options": options,
        "targets": targets,
        "title": title,
        "type": kind,
    }
    return Panel(*size, body)


def _target(at: int, query: Query, *, instant: bool) -> Json:
    return {
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": query.expr,
        "instant": instant,
        "legendFormat": query.legend,
        "range": not instant,
        "refId": chr(ord("A") + at),
    }
