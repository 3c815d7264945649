"""A live stack started with `up --observe`, what its own Prometheus says, and when each alert fired."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import requests

from tests.e2e.live_stack import LiveStack
from tests.running_stack import wait_for

Labels = dict[str, str]
OBJECTIVE_SECONDS = 30.0  # from a fault of the feed or of orders to its alert
CLEAR_SECONDS = 60.0
SLOW_SECONDS = 60.0  # for what is neither feed nor orders
LOOK_SECONDS = 0.25


class ObservedStack(LiveStack):
    """Also asks Prometheus."""

    options = ("--observe",)

    def prometheus(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its HTTP interface."""
        port = self.environment["ALPHA_PANDA__STACK__PROMETHEUS_PORT"]
        answer = requests.post if path == "query" else requests.get
        body = answer(f"http://127.0.0.1:{port}/api/v1/{path}", parameters, timeout=10).json()
        assert body["status"] == "success", body
        return body["data"]

    def query(self, expression: str) -> list[tuple[Labels, float]]:
        """Labels and value of every series the expression has now. A scalar has no labels."""
        found = self.prometheus("query", query=expression)
        if found["resultType"] == "scalar":
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

    def firing(self) -> list[Labels]:
        """Labels of every alert that fires now."""
        return [one["labels"] for one in self.prometheus("alerts")["alerts"] if one["state"] == "firing"]


@dataclass
class Episode:
    """One alert from when it was seen firing to when it was not any more; times of the monotonic clock."""

    labels: Labels
    began: float
    ended: float | None = None


class AlertLog:
    """Notes every alert of a stack, several times a second, while tests do other things."""

    def __init__(self, stack: ObservedStack) -> None:
        self._stack = stack
        self._episodes: list[Episode] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @contextlib.contextmanager
    def running(self) -> Iterator[AlertLog]:
        """While the stack runs."""
        self._thread.start()
        try:
            yield self
        finally:
            self._over.set()
            self._thread.join(30)

    def _run(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            with contextlib.suppress(requests.RequestException, AssertionError):
                self._note(self._stack.firing(), time.monotonic())

    def _note(self, firing: list[Labels], now: float) -> None:
        going_on = [one for one in self._episodes if one.ended is None]
        for one in going_on:
            one.ended = None if one.labels in firing else now
        known = [one.labels for one in going_on]
        self._episodes += [Episode(labels, now) for labels in firing if labels not in known]

    def episodes(self, name: str, **labels: str) -> list[Episode]:
        """Of the alerts with this name and these labels, in their order."""
        wanted = {"alertname": name, **labels}
        return [one for one in self._episodes if wanted.items() <= one.labels.items()]

    def is_firing(self, name: str, **labels: str) -> bool:
        """True while one of them fires."""
        return any(one.ended is None for one in self.episodes(name, **labels))

    def wait_firing(self, name: str, seconds: float, since: float, **labels: str) -> float:
        """Seconds from `since` until it fired; AssertionError when it did not within `seconds`."""

        def began() -> list[float]:
            found = self.episodes(name, **labels)
            return [max(0.0, one.began - since) for one in found if one.ended is None or one.ended > since]

        left = max(LOOK_SECONDS, seconds - (time.monotonic() - since))
        return min(wait_for(began, f"the alert {name} {labels or ''}", left))

    def wait_cleared(self, name: str, seconds: float, since: float, **labels: str) -> float:
        """Seconds from `since` until none of them fired any more; AssertionError when one still does."""
        wait_for(lambda: not self.is_firing(name, **labels), f"the end of the alert {name} {labels or ''}", seconds)
        return max([0.0, *(one.ended - since for one in self.episodes(name, **labels) if one.ended is not None)])


@dataclass
class Watched:
    """What a test expects to be told. `note` records a property of the test."""

    alerts: AlertLog
    note: Callable[[str, object], None]

    def fires(self, name: str, since: float, within: float = OBJECTIVE_SECONDS, **labels: str) -> None:
        """See it firing within so many seconds of the fault, and say after how many."""
        took = self.alerts.wait_firing(name, within + OBJECTIVE_SECONDS, since, **labels)
        self._say(name, "fires", took, labels)
        assert took <= within, f"{name} fired after {took:.1f} s, the objective is {within:.0f} s"

    def clears(self, name: str, since: float, within: float = CLEAR_SECONDS, **labels: str) -> None:
        """See that it fires no more so many seconds after the fault's end, and say after how many."""
        self._say(name, "ends", self.alerts.wait_cleared(name, within, since, **labels), labels)

    def _say(self, name: str, what: str, took: float, labels: Labels) -> None:
        self.note(f"{name}_{what}_seconds", round(took, 1))
        shown = ", ".join(f"{key} {value}" for key, value in labels.items())
        print(f"{name}{f' ({shown})' if shown else ''} {what} after {took:.1f} s")
