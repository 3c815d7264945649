"""Grafana's dashboards: what the code writes, by the rules, of metrics that exist, and leaving none out."""

from __future__ import annotations

import copy
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from faust_app.runtime.metrics import DECLARED
from faust_app.runtime.settings import PROJECT
from faust_app.runtime.topology import STAGES
from tests import dashboard_queries
from tests.dashboard_queries import MAY_BE_EMPTY, ONLY_LIVE, dashboards, excuse, queries
from tests.unit.observability.dashboard_rules import RULES, UIDS, Board
from tests.unit.observability.promql_tree import selectors
from tools import generate_dashboards
from tools.dashboards.promql import SUFFIXES, full_name

BOARDS = dashboards()
OVERVIEW, WORKER = "ap-overview", "ap-worker-risk_manager"
NOT_SHOWN: dict[str, str] = {}  # declared metrics that no panel needs, each with the reason
SCHEMA = json.loads((Path(__file__).parent / "dashboard_schema.json").read_text())


@pytest.fixture(params=sorted(BOARDS))
def board(request: pytest.FixtureRequest) -> Board:
    return BOARDS[request.param]


@pytest.mark.parametrize("name", sorted(RULES))
def test_dashboard_keeps_the_rule(board: Board, name: str) -> None:
    assert list(RULES[name](board)) == []


def test_dashboard_has_the_keys_grafana_knows(board: Board) -> None:
    jsonschema.validate(board, SCHEMA)


def test_every_page_is_there_and_every_kind_of_worker_has_one() -> None:
    assert BOARDS.keys() == UIDS
    assert {f"ap-worker-{stage.name}" for stage in STAGES} < UIDS
    assert len(list(generate_dashboards.FOLDER.iterdir())) == len(UIDS)


def test_the_files_are_what_the_code_says() -> None:
    assert generate_dashboards.out_of_date(generate_dashboards.FOLDER) == []


def test_every_declared_metric_is_shown_or_has_a_reason() -> None:
    shown = {one.name for _, _, expr in queries() for one, _ in selectors(expr)}
    missing = {spec.name for spec in DECLARED if not shown & {spec.name + end for end in SUFFIXES[spec.kind]}}
    assert missing == NOT_SHOWN.keys()


def test_the_overview_fits_on_one_screen() -> None:
    """A line of the grid is 38 pixels; some 900 are left of 1080."""
    assert max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in BOARDS[OVERVIEW]["panels"]) <= 24


def test_exceptions_are_of_metrics_that_are_shown_and_have_reasons() -> None:
    shown = {one.name for _, _, expr in queries() for one, _ in selectors(expr)}
    assert MAY_BE_EMPTY.keys() <= shown
    assert {spec.name for spec in DECLARED} >= ONLY_LIVE
    assert all(len(reason) > 15 for reason in MAY_BE_EMPTY.values())


@pytest.mark.parametrize(
    ("expr", "is_live", "excused"),
    [
        ("sum(rate(alpha_panda_retries_total{}[1m]))", True, True),
        ("sum(rate(alpha_panda_fills_total{}[1m]))", False, False),
        ("sum(alpha_panda_orders_unknown{})", True, False),
        ("sum(alpha_panda_orders_unknown{})", False, True),
        ("min(alpha_panda_orders_unknown_since_timestamp_seconds{})", False, False),
        ("sum(rate(alpha_panda_broker_call_duration_seconds_bucket{}[1m]))", False, True),
    ],
)
def test_a_query_is_excused_by_what_it_asks_for(expr: str, is_live: bool, excused: bool) -> None:
    assert (excuse(expr, is_live=is_live) is not None) == excused


def test_a_name_nobody_declared_is_refused() -> None:
    with pytest.raises(KeyError, match="alpha_panda_tick_received_total is not declared"):
        full_name("tick_received_total")


def test_nothing_of_a_variable_is_left_in_the_queries() -> None:
    assert not [expr for _, _, expr in queries() if "$" in expr]


def _panel(board: Board, title: str) -> Any:
    return next(panel for panel in board["panels"] if panel["title"] == title)


def _expr(new: str, title: str = "Open orders") -> Callable[[Board], None]:
    def change(board: Board) -> None:
        _panel(board, title)["targets"][0]["expr"] = new

    return change


def _variable(which: str, /, **values: Any) -> Callable[[Board], None]:
    def change(board: Board) -> None:
        next(one for one in board["templating"]["list"] if one["name"] == which).update(values)

    return change


def _in_panel(title: str = "Open orders", **values: Any) -> Callable[[Board], None]:
    return lambda board: _panel(board, title).update(values)


def _link(url: str) -> Callable[[Board], None]:
    return _in_panel(links=[{"targetBlank": False, "title": "x", "url": url}])


CHOSEN = 'job=~"$job",instance=~"$instance",broker=~"$broker"'
PLANTED: list[tuple[str, str, Callable[[Board], None]]] = [
    ("template-datasource", OVERVIEW, _variable("datasource", label="Source")),
    ("template-job", OVERVIEW, _variable("job", allValue=".*")),
    ("template-instance", OVERVIEW, _variable("instance", multi=False)),
    ("template-others", OVERVIEW, _variable("broker", includeAll=False)),
    ("template-label-promql", OVERVIEW, _variable("job", definition="label_values(up{, job)")),
    ("template-label-promql", OVERVIEW, _variable("broker", definition="label_values(up, brokers)")),
    ("variables-are-used", OVERVIEW, _expr(f'alpha_panda_orders_open{{{CHOSEN},stage="$stage"}}')),
    ("variables-are-used", OVERVIEW, _variable("broker", name="brokers")),
    ("conventions", OVERVIEW, lambda board: board.update(editable=True)),
    ("conventions", OVERVIEW, lambda board: board.update(id=7)),
    ("conventions", OVERVIEW, lambda board: board.update(uid="Overview 1")),
    ("panel-datasource", OVERVIEW, _in_panel(datasource={"type": "prometheus", "uid": "prometheus"})),
    ("panel-title-description", OVERVIEW, _in_panel(description="")),
    ("panel-title-description", OVERVIEW, lambda board: board["panels"][0].update(title="")),
    ("panel-units", OVERVIEW, lambda board: _panel(board, "Open orders")["fieldConfig"]["defaults"].pop("unit")),
    ("panel-units", OVERVIEW,
     lambda board: _panel(board, "P&L of the day")["fieldConfig"]["defaults"].update(unit="s")),
    ("panel-thresholds", OVERVIEW,
     lambda board: _panel(board, "Messages waiting")["fieldConfig"]["defaults"]["thresholds"]["steps"].reverse()),
    ("panel-no-targets", OVERVIEW, _in_panel(targets=[])),
    ("panel-ids", OVERVIEW, lambda board: board["panels"][1].update(id=1)),
    ("panel-places", OVERVIEW, lambda board: board["panels"][1]["gridPos"].update(x=2)),
    ("panel-places", OVERVIEW, lambda board: board["panels"][-1]["gridPos"].update(w=25)),
    ("links", OVERVIEW, _link("/d/ap-worker?${__url_time_range}&${__all_variables}")),
    ("links", OVERVIEW, _link("${runbooks}/feed-is-loud.md")),
    ("links", OVERVIEW, _link("http://127.0.0.1:9090")),
    ("dashboard-links", OVERVIEW, lambda board: board["links"].pop()),
    ("target-promql", OVERVIEW, _expr("sum by (broker) (alpha_panda_orders_open")),
    ("target-rate-interval", OVERVIEW, _expr(f"sum(rate(alpha_panda_fills_total{{{CHOSEN}}}[1m]))")),
    ("target-rate-interval", OVERVIEW, _expr(f"sum(rate(alpha_panda_fills_total{{{CHOSEN}}}[$__range]))")),
    ("target-counter-agg", OVERVIEW, _expr(f"sum(alpha_panda_fills_total{{{CHOSEN}}})")),
    ("target-job", OVERVIEW, _expr('alpha_panda_orders_open{instance=~"$instance"}')),
    ("target-instance", OVERVIEW, _expr('alpha_panda_orders_open{job=~"$job"}')),
    ("target-instance", OVERVIEW, _expr('alpha_panda_consumer_lag_messages{job=~"$job"}')),
    ("target-metric-exists", OVERVIEW, _expr("alpha_panda_open_orders")),
    ("target-metric-exists", OVERVIEW, _expr('alpha_panda_orders_open{symbol="INFY"}')),
    ("target-metric-exists", OVERVIEW, _expr("rate(alpha_panda_tick_to_order_seconds[1m])")),
    ("target-labels", OVERVIEW, _expr("sum by (strategy) (alpha_panda_orders_open)")),
    ("target-labels", OVERVIEW, _expr("sum(alpha_panda_orders_open) / sum by (broker) (alpha_panda_orders_open)")),
    ("target-legend", OVERVIEW, _expr("sum(alpha_panda_orders_open)")),
    ("target-legend", OVERVIEW, lambda board: _panel(board, "Open orders")["targets"][0].update(legendFormat="")),
    ("target-instance", WORKER, _expr('alpha_panda_worker_ready{job=~"$job"}', "Ready")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "uid", "plant"), PLANTED, ids=[f"{at}-{one[0]}" for at, one in enumerate(PLANTED)])
def test_the_rule_finds_what_is_planted(name: str, uid: str, plant: Callable[[Board], None]) -> None:
    spoiled = copy.deepcopy(BOARDS[uid])
    plant(spoiled)
    assert list(RULES[name](spoiled)) != []


def test_every_rule_has_something_planted() -> None:
    assert {name for name, _, _ in PLANTED} == RULES.keys()


def test_a_slip_of_the_pen_is_no_key_of_grafanas() -> None:
    spoiled = copy.deepcopy(BOARDS[OVERVIEW])
    spoiled["panels"][0]["targets"][0]["legend_format"] = "x"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(spoiled, SCHEMA)


def test_check_says_which_files_are_out_of_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate_dashboards, "FOLDER", tmp_path)
    generate_dashboards.write(tmp_path)
    monkeypatch.setattr(sys, "argv", ["generate_dashboards", "--check"])
    generate_dashboards.main()
    (tmp_path / "ap-feed.json").write_text("{}")
    (tmp_path / "ap-gone.json").write_text("{}")
    (tmp_path / "ap-orders.json").unlink()
    with pytest.raises(SystemExit, match=r"ap-feed.json, ap-gone.json, ap-orders.json. Run `make docs`"):
        generate_dashboards.main()
    monkeypatch.setattr(sys, "argv", ["generate_dashboards"])
    generate_dashboards.main()
    assert generate_dashboards.out_of_date(tmp_path) == []


def test_queries_are_read_from_the_files(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(BOARDS[OVERVIEW]))
    assert {uid for uid, _, _ in dashboard_queries.queries(tmp_path)} == {OVERVIEW}


def test_grafana_finds_its_data_source_and_the_dashboards() -> None:
    folder = PROJECT / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text())["datasources"]
    current = next(one for one in BOARDS[OVERVIEW]["templating"]["list"] if one["name"] == "datasource")["current"]
    assert (source["uid"], source["name"], source["type"]) == (current["value"], current["text"], "prometheus")
    assert source["editable"] is False
    assert source["jsonData"] == {"httpMethod": "POST", "timeInterval": "5s"}
    (provider,) = yaml.safe_load((folder / "dashboards" / "alpha-panda.yaml").read_text())["providers"]
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)


def test_provisioning_expands_only_the_documented_variables() -> None:
    files = (PROJECT / "grafana" / "provisioning").rglob("*.yaml")
    lines = [line for file in files for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]
    used = {name for line in lines for name in re.findall(r"\$\{?(\w+)", line)}
    documented = (PROJECT / "docs" / "dashboards.md").read_text()
    assert used
    assert not [name for name in used if f"{name}=" not in documented]


def test_alerts_lead_to_dashboards_that_exist() -> None:
    files = sorted((PROJECT / "prometheus" / "rules").glob("*.yml"))
    if not files:
        pytest.skip("there are no alert rules in prometheus/rules")
    rules = [one for file in files for group in yaml.safe_load(file.read_text())["groups"] for one in group["rules"]]
    urls = {one["alert"]: one.get("annotations", {}).get("dashboard_url", "") for one in rules if "alert" in one}
    pages = {uid: {uid} for uid in UIDS} | {
        "ap-worker-{{ $labels.stage }}": {f"ap-worker-{stage.name}" for stage in STAGES}
    }
    for alert, url in urls.items():
        uid = url.removeprefix("/d/").partition("?")[0]
        assert pages.get(uid, {uid}) <= UIDS, f"{alert}: {url}"
