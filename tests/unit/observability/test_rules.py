"""Alerts: each fires for its fault and is silent without it, says what to do, and reads what somebody writes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from faust_app.runtime.settings import PROJECT
from tests.promtools import required
from tests.unit.observability.promql_tree import selectors
from tests.unit.observability.rule_files import CASES, FOLDER, RULES, Check, Rule, alerts, checks, rules
from tests.unit.observability.rule_metrics import problems

ALERTS = alerts()
RECORDED = {one.name for one in rules() if not one.is_alert}
CHECKS = list(checks())
ALWAYS = {"Watchdog"}  # fires for ever
SECTION = ("Means", "Costs", "Look at", "Do")
MOST_HOLD_SECONDS = 15  # with 5 s to the scrape and 5 s to the evaluation, seen within 30 s of the fault
COMMAND = re.compile(r"`alpha-panda ([a-z]+)(?: ([a-z]+))?")


def run(*arguments: object) -> str:
    """A program's output; the test fails with it when it fails."""
    done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def runbook(rule: Rule) -> tuple[Path, str]:
    """File and anchor."""
    file, _, anchor = rule.annotations["runbook_url"].partition("#")
    return PROJECT / file, anchor


def section(rule: Rule) -> str:
    """The runbook's text about an alert; empty without one."""
    file, _ = runbook(rule)
    _, _, after = file.read_text().partition(f"\n## {rule.name}\n")
    return after.partition("\n## ")[0]


def test_prometheus_takes_the_configuration() -> None:
    assert "SUCCESS" in run(required("promtool"), "check", "config", FOLDER / "prometheus.yml")


def test_prometheus_takes_the_rules_without_remarks() -> None:
    run(required("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *RULES)


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_alerts_fire_and_are_silent_as_their_cases_say(file: Path) -> None:
    run(required("promtool"), "test", "rules", file)


def test_every_case_reads_every_rule() -> None:
    for file in CASES:
        assert yaml.safe_load(file.read_text())["rule_files"] == ["../rules/*.yml"], file


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_case_in_which_it_fires(alert: str) -> None:
    assert any(one.expected for one in CHECKS if one.alert == alert)


@pytest.mark.parametrize("alert", sorted(ALERTS.keys() - ALWAYS))
def test_every_alert_has_a_case_in_which_it_is_silent(alert: str) -> None:
    assert any(not one.expected for one in CHECKS if one.alert == alert)


@pytest.mark.parametrize("alert", [name for name, one in ALERTS.items() if "market:" in one.query])
def test_an_alert_that_looks_at_the_market_is_silent_outside_its_hours(alert: str) -> None:
    found = [one for one in CHECKS if one.alert == alert and not one.expected]
    assert any(is_closed(one) for one in found)


def is_closed(check: Check) -> bool:
    """True when the market is closed at the end of the case."""
    values = [one["values"] for one in check.series if one["series"].startswith("alpha_panda_market_open{")]
    return bool(values) and all(one.split()[-1].startswith("0+0x") for one in values)


def test_cases_are_of_alerts_that_exist() -> None:
    assert {one.alert for one in CHECKS} == ALERTS.keys()


def test_no_name_is_given_twice() -> None:
    names = [one.name for one in rules()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_a_rule_names_metrics_and_labels_that_exist(rule: Rule) -> None:
    assert problems(rule.query, RECORDED) == []


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("alpha_panda_ticks_recieved_total > 0", "nobody exposes alpha_panda_ticks_recieved_total"),
        ('alpha_panda_signals_total{stage="risk", code="x"}', "alpha_panda_signals_total has no label code"),
        ("alpha_panda_tick_to_order_seconds > 1", "nobody exposes alpha_panda_tick_to_order_seconds"),
        ('alpha_panda_orders_open{le="1"}', "alpha_panda_orders_open has no label le"),
        ("time() - alpha_panda_last_probe_timestamp_seconds", "every worker exposes"),
        ("sum by (symbol) (alpha_panda_orders_open)", "no metric has the label symbol"),
        ("up * on (symbol) alpha_panda_orders_open", "no metric has the label symbol"),
    ],
)
def test_what_nobody_exposes_is_found(query: str, problem: str) -> None:
    assert len(found := problems(query, ())) == 1
    assert problem in found[0]


def test_what_is_recorded_is_used() -> None:
    read = {one.name for rule in rules() for one, _ in selectors(rule.query)}
    assert read >= RECORDED


@pytest.mark.parametrize("rule", ALERTS.values(), ids=lambda rule: rule.name)
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: Rule) -> None:
    assert rule.labels["severity"] in ("critical", "warning", "info")
    assert rule.annotations.keys() == {"summary", "description", "runbook_url", "dashboard_url"}
    assert all(rule.annotations[name].rstrip().endswith((".", "}}")) for name in ("summary", "description"))


@pytest.mark.parametrize("rule", ALERTS.values(), ids=lambda rule: rule.name)
def test_the_runbook_has_a_section_about_the_alert(rule: Rule) -> None:
    _, anchor = runbook(rule)
    assert anchor == rule.name.lower()
    text = section(rule)
    assert [part for part in SECTION if f"- {part}: " not in text] == []


def test_runbooks_name_commands_that_exist() -> None:
    known = set(re.findall(r"^## `alpha-panda (.+)`$", (PROJECT / "docs" / "commands.md").read_text(), re.MULTILINE))
    text = "".join(file.read_text() for file in sorted((PROJECT / "docs" / "runbooks").glob("*.md")))
    named = set(COMMAND.findall(text))
    assert {" ".join(one) for one in named if one[0] not in known and " ".join(one) not in known} == set()


def test_an_alert_tells_of_which_broker_it_is() -> None:
    told = [(one.alert, alert["exp_labels"]) for one in CHECKS for alert in one.expected]
    without = {alert for alert, labels in told if "broker" not in labels}
    assert without == {"WorkerDown"}  # of a stage without any worker nobody knows


@pytest.mark.parametrize("rule", [one for one in ALERTS.values() if one.subject in {"feed", "orders"}], ids=str)
def test_feed_and_order_alerts_are_seen_within_30_seconds(rule: Rule) -> None:
    assert int(rule.hold.removesuffix("s")) <= MOST_HOLD_SECONDS


def test_workers_are_found_by_file_and_their_own_labels_count() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    assert config["global"]["scrape_interval"] == config["global"]["evaluation_interval"] == "5s"
    workers = next(one for one in config["scrape_configs"] if one["job_name"] == "alpha-panda")
    assert workers["honor_labels"] is True
    assert workers["file_sd_configs"][0]["files"] == ["targets/*.json"]
