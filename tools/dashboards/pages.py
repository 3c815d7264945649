"""A whole dashboard: variables, annotations, links and the places of its panels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faust_app.runtime.topology import STAGES
from tools.dashboards.panels import COLUMNS, DATASOURCE, Json, Row
from tools.dashboards.promql import Scope

TAG, WORKER_TAG = "alpha-panda", "alpha-panda-worker"
SCHEMA_VERSION = 39
RUNBOOKS = "/public/runbooks"  # where Grafana serves docs/runbooks: a folder below its own public one
REFRESH = "10s"
WORKER = "ap-worker-"
TITLES = {
    "ap-overview": "Overview",
    "ap-pipeline": "Pipeline",
    "ap-orders": "Orders and risk",
    "ap-portfolio": "Portfolio",
    "ap-feed": "Market feed",
    "ap-kafka": "Kafka and tables",
    "ap-broker": "Broker API",
} | {f"{WORKER}{stage.name}": f"Worker {stage.name}" for stage in STAGES}
VALUES = {  # of the variables: label_values(first, second)
    "job": ("alpha_panda_build_info", "job"),
    "instance": ('up{job=~"$job"}', "instance"),
    "stage": ('alpha_panda_worker_ready{job=~"$job"}', "stage"),
    "broker": ('alpha_panda_worker_ready{job=~"$job",broker!="shared"}', "broker"),
}


@dataclass(frozen=True)
class Page:
    """One dashboard: the question it answers, its variables beyond job and instance, its rows."""

    uid: str
    answers: str
    rows: Sequence[Row]
    variables: Sequence[str] = ("broker",)
    worker_stage: str = ""
    since: str = "now-30m"

    @property
    def title(self) -> str:
        """Its name in Grafana."""
        return TITLES[self.uid]

    def json(self) -> Json:
        """Grafana's JSON."""
        return {
            "annotations": {"list": list(_annotations(self.worker_stage))},
            "description": self.answers,
            "editable": False,
            "graphTooltip": 1,
            "id": None,
            "links": [_to_pages("Pages", TAG), _to_pages("Workers", WORKER_TAG)],
            "panels": list(_placed(self.rows)),
            "refresh": REFRESH,
            "schemaVersion": SCHEMA_VERSION,
            "tags": [WORKER_TAG if self.worker_stage else TAG],
            "templating": {"list": list(self._variables())},
            "time": {"from": self.since, "to": "now"},
            "timepicker": {},
            "timezone": "Asia/Kolkata",
            "title": f"Alpha Panda: {self.title}",
            "uid": self.uid,
        }

    def _variables(self) -> Iterator[Json]:
        yield {
            "current": {"text": "Prometheus", "value": "prometheus"},
            "hide": 0,
            "label": "Data source",
            "name": "datasource",
            "query": "prometheus",
            "refresh": 1,
            "type": "datasource",
        }
        for name in ("job", "instance", *self.variables):
            of, label = VALUES[name]
            if self.worker_stage and name != "job":
                of = f'up{{job=~"$job",stage="{self.worker_stage}"}}'
            yield _variable(name, f"label_values({of}, {label})")
        yield {
            "hide": 2, "label": "Runbooks", "name": "runbooks", "query": RUNBOOKS, "skipUrlSync": True,
            "type": "constant",
        }  # fmt: skip


def _variable(name: str, query: str) -> Json:
    return {
        "allValue": ".+",
        "current": {"text": ["All"], "value": ["$__all"]},
        "datasource": DATASOURCE,
        "definition": query,
        "hide": 0,
        "includeAll": True,
        "label": name.capitalize(),
        "multi": True,
        "name": name,
        "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "refresh": 2,
        "sort": 1,
        "type": "query",
    }


def _annotations(stage: str) -> Iterator[Json]:
    scope = Scope(f'stage="{stage}"' if stage else "", has_broker=False)
    versions = f"on (job, instance) group_left (version) {scope('build_info')}"
    starts = f"1000 * {scope('worker_start_timestamp_seconds')} * {versions}"
    yield _annotation("Starts", "orange", starts, "{{worker}} started, version {{version}}", at_value=True)
    firing = 'ALERTS{alertstate="firing",alertname!="Watchdog"}'
    yield _annotation("Alerts", "red", firing, "{{alertname}}", enable=False)


def _annotation(name: str, color: str, expr: str, title: str, *, enable: bool = True, at_value: bool = False) -> Json:
    return {
        "datasource": DATASOURCE,
        "enable": enable,
        "expr": expr,
        "hide": False,
        "iconColor": color,
        "name": name,
        "step": "10s",
        "titleFormat": title,
        "useValueForTime": at_value,
    }


def _to_pages(title: str, tag: str) -> Json:
    return {
        "asDropdown": True,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "tags": [tag],
        "targetBlank": False,
        "title": title,
        "type": "dashboards",
    }


def to_page(uid: str) -> Json:
    """A panel's link to another page, with the times and choices of this one. Raises KeyError for an unknown page."""
    return {"targetBlank": False, "title": TITLES[uid], "url": f"/d/{uid}?${{__url_time_range}}&${{__all_variables}}"}


def to_runbook(name: str) -> Json:
    """A panel's link to docs/runbooks/<name>.md."""
    return {"targetBlank": True, "title": f"Runbook: {name}", "url": f"${{runbooks}}/{name}.md"}


def _placed(rows: Sequence[Row]) -> Iterator[Json]:
    """Every panel with id and position: from left to right, in a new line where one does not fit."""
    number, top = 0, 0
    for row in rows:
        if row.title:
            number += 1
            yield _heading(row.title, number, top)
            top += 1
        left = height = 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                left, top, height = 0, top + height, 0
            number += 1
            place = {"h": panel.height, "w": panel.width, "x": left, "y": top}
            yield panel.body | {"gridPos": place, "id": number}
            left, height = left + panel.width, max(height, panel.height)
        top += height


def _heading(title: str, number: int, top: int) -> Json:
    place = {"h": 1, "w": COLUMNS, "x": 0, "y": top}
    return {"collapsed": False, "gridPos": place, "id": number, "panels": [], "title": title, "type": "row"}
