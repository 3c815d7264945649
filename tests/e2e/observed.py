"""A live stack started with `up --observe`, and what its own Prometheus says."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from tests.e2e.live_stack import LiveStack
from tests.running_stack import wait_for

Labels = dict[str, str]
OBJECTIVE_SECONDS = 30.0  # from a fault of the feed or of orders to its alert
CLEAR_SECONDS = 60.0


class ObservedStack(LiveStack):
    """Also asks Prometheus."""

    options = ("--observe",)

    def prometheus(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its HTTP interface."""
        port = self.environment["ALPHA_PANDA__STACK__PROMETHEUS_PORT"]
        answer = requests.get(f"http://127.0.0.1:{port}/api/v1/{path}", parameters, timeout=10)
        body = answer.json()
        assert body["status"] == "success", body
        return body["data"]

    def query(self, expression: str) -> list[tuple[Labels, float]]:
        """Labels and value of every series the expression has now. A scalar has none."""
        found = self.prometheus("query", query=expression)
        if found["resultType"] != "vector":
            return [({}, float(found["result"][1]))]
        return [(row["metric"], float(row["value"][1])) for row in found["result"]]

    def value(self, expression: str) -> float | None:
        """The only value of the expression, None when there is none."""
        found = self.query(expression)
        assert len(found) < 2, found
        return found[0][1] if found else None

    def targets(self) -> list[dict[str, Any]]:
        """What is scraped, with its health."""
        found: list[dict[str, Any]] = self.prometheus("targets", state="active")["activeTargets"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its health."""
        return [rule for group in self.prometheus("rules")["groups"] for rule in group["rules"]]

    def alerts_firing(self, name: str | None = None, **labels: str) -> list[dict[str, Any]]:
        """Alerts that fire and have these labels."""
        return [
            one
            for one in self.prometheus("alerts")["alerts"]
            if one["state"] == "firing"
            and name in (one["labels"]["alertname"], None)
            and labels.items() <= one["labels"].items()
        ]

    def wait_firing(self, name: str, seconds: float, since: float | None = None, **labels: str) -> float:
        """Seconds from `since` (now) until the alert fires; AssertionError when it does not within `seconds`."""
        began = time.monotonic() if since is None else since
        wait_for(lambda: self.alerts_firing(name, **labels), f"the alert {name}", seconds - (time.monotonic() - began))
        return time.monotonic() - began

    def wait_cleared(self, name: str, seconds: float = CLEAR_SECONDS, **labels: str) -> float:
        """Seconds until it does not fire any more; AssertionError when it still does after `seconds`."""
        began = time.monotonic()
        wait_for(lambda: not self.alerts_firing(name, **labels), f"the end of the alert {name}", seconds)
        return time.monotonic() - began


@dataclass
class Watched:
    """Alerts of faults that were caused together. `note` records a property of the test."""

    stack: ObservedStack
    note: Callable[[str, object], None]

    def fires(self, name: str, since: float, within: float = OBJECTIVE_SECONDS, **labels: str) -> float:
        """See it firing, and say after how many seconds."""
        # The objective is told of in the failure, too: a little more time is waited.
        took = self.stack.wait_firing(name, within + OBJECTIVE_SECONDS, since, **labels)
        self.note(f"{name}_fires_seconds", round(took, 1))
        print(f"{name} {labels or ''} fires after {took:.1f} s")
        assert took <= within, f"{name} needed {took:.1f} s, the objective is {within:.0f} s"
        return took

    def clears(self, name: str, within: float = CLEAR_SECONDS, **labels: str) -> None:
        """See it end, and say after how many seconds."""
        took = self.stack.wait_cleared(name, within, **labels)
        self.note(f"{name}_clears_seconds", round(took, 1))
        print(f"{name} {labels or ''} ends after {took:.1f} s")
