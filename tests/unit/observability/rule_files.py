"""The rule files and their promtool cases, as tests look at them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from faust_app.runtime.settings import PROJECT

FOLDER = PROJECT / "prometheus"
RULES = sorted((FOLDER / "rules").glob("*.yml"))
CASES = sorted((FOLDER / "tests").glob("*.yml"))


@dataclass(frozen=True)
class Rule:
    """One rule: an alert, or what is recorded."""

    name: str
    subject: str
    query: str
    is_alert: bool
    hold: str = "0s"
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """What a promtool case expects of an alert. `series` are the case's inputs."""

    alert: str
    case: str
    series: tuple[dict[str, str], ...]
    expected: tuple[dict[str, Any], ...]


def rules() -> Iterator[Rule]:
    """Every rule of every file."""
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            for one in group["rules"]:
                yield Rule(
                    one.get("alert") or one["record"],
                    file.stem,
                    one["expr"],
                    "alert" in one,
                    one.get("for", "0s"),
                    one.get("labels", {}),
                    one.get("annotations", {}),
                )


def alerts() -> dict[str, Rule]:
    """Every alert by name."""
    return {one.name: one for one in rules() if one.is_alert}


def checks() -> Iterator[Check]:
    """Every expectation of every promtool case."""
    for file in CASES:
        for case in yaml.safe_load(file.read_text())["tests"]:
            for one in case["alert_rule_test"]:
                yield Check(one["alertname"], case["name"], tuple(case["input_series"]), tuple(one["exp_alerts"]))
