"""Two processes with more order calls than an account may make: what the exchange counts is what the limits allow."""

from __future__ import annotations

import bisect
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from faust_app.runtime.settings import PROJECT, Settings
from sandbox.scenario import Scenario
from tests.chaos.burst import Plan
from tests.chaos.live_world import live_settings
from tests.exchange import Exchange, synthetic
from tests.running_stack import wait_for
from tests.unit.runtime.redis_server import RedisServer

MOST_A_SECOND = 10
PRICE = 1_000
NAMESPACES = count(1)
LEASE_SECONDS = 2.0
AWAY_CALLS = 8
CALLS = 30
OPEN_ALL_DAY = Scenario.model_validate({"rules": {"session_hours": False}})


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    """With the limits of the real one."""
    running = Exchange(synthetic(), scenario=OPEN_ALL_DAY)
    yield running
    running.stop()


class Processes:
    """Processes of one account at the exchange."""

    def __init__(self, exchange: Exchange, redis: RedisServer, folder: Path) -> None:
        self._exchange = exchange
        self._folder = folder
        found = next(one for one in exchange.sandbox.broker.catalogue if one.is_tradable)
        exchange.tick(found.key, PRICE)
        self._instrument, self._token = found.key, found.instrument_token
        self._settings = live_settings(exchange, folder / "session", redis.port, f"rate{next(NAMESPACES)}.")
        self._running: list[subprocess.Popen[bytes]] = []

    def start(
        self, name: str, *, instance: int = 0, borrows: bool = False, hiccup: float = 0.0
    ) -> subprocess.Popen[bytes]:
        """One more; `instance` names a worker of its own."""
        plan = Plan(
            name,
            _values(self._settings),
            self._instrument,
            self._token,
            str(Decimal(PRICE - 50)),
            borrows=borrows,
            lease_seconds=LEASE_SECONDS,
            hiccup_seconds=hiccup,
        )
        with (self._folder / f"{name}.log").open("wb") as log:
            started = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.burst"],
                cwd=PROJECT, stdin=subprocess.PIPE, stdout=log, stderr=log, env=_environment(instance),
            )  # fmt: skip
        assert started.stdin is not None
        started.stdin.write(msgspec.json.encode(plan))
        started.stdin.close()
        self._running.append(started)
        return started

    def calls(self) -> list[dict[str, Any]]:
        """Order calls as the exchange has logged them."""
        found: list[dict[str, Any]] = self._exchange.ask("GET", "/calls")
        return found

    def tags(self) -> list[str]:
        """Of the orders that arrived, in their order."""
        return [one["fields"]["tag"] for one in self.calls() if one["method"] == "POST"]

    def kill_all(self) -> None:
        for one in self._running:
            one.kill()
            one.wait(10)


def _values(settings: Settings) -> dict[str, Any]:
    kite = settings.kite
    assert kite.api_key is not None
    assert kite.session_key is not None
    return {
        "namespace": settings.namespace,
        "redis": {"port": settings.redis.port},
        "kite": {
            "root": kite.root,
            "api_key": kite.api_key.get_secret_value(),
            "session_file": str(kite.session_file),
            "session_key": kite.session_key.get_secret_value(),
            "timeout_seconds": 2.0,
        },
    }


def _environment(instance: int) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "ALPHA_PANDA_WORKER_INSTANCE": str(instance)}


@pytest.fixture
def processes(exchange: Exchange, redis: RedisServer, tmp_path: Path) -> Iterator[Processes]:
    found = Processes(exchange, redis, tmp_path)
    yield found
    found.kill_all()


def most_in_a_second(calls: list[dict[str, Any]]) -> int:
    """In any rolling second."""
    times = sorted(one["monotonic"] for one in calls)
    return max(number + 1 - bisect.bisect_right(times, at - 1) for number, at in enumerate(times))


def check(calls: list[dict[str, Any]]) -> None:
    """Within the limits, and the limits well used."""
    times = [one["monotonic"] for one in calls]
    per_second = len(times) / (max(times) - min(times))
    print(f"{len(calls)} calls, {per_second:.1f} a second, {most_in_a_second(calls)} at most in a rolling second")
    assert most_in_a_second(calls) <= MOST_A_SECOND
    assert not [one for one in calls if one["status"] == 429]
    assert {one["method"] for one in calls} == {"POST", "DELETE"}
    assert {one["fields"]["tag"][:4] for one in calls if one["method"] == "POST"} == {"entr", "exit"}


@pytest.mark.parametrize("hiccup", [pytest.param(0.0, marks=pytest.mark.prove), 0.8])
def test_two_processes_together_keep_the_limit_of_a_second(processes: Processes, hiccup: float) -> None:
    processes.start("a", hiccup=hiccup)
    processes.start("b", borrows=True, hiccup=hiccup)
    wait_for(lambda: {"entrya", "entryb"} <= {tag[:6] for tag in processes.tags()}, "calls of both", 20)
    begun = len(processes.calls())
    wait_for(lambda: len(processes.calls()) > begun + CALLS, f"{CALLS} calls more", 30)
    check(processes.calls())


@pytest.mark.prove
def test_a_redis_that_restarts_in_the_middle_adds_no_call(processes: Processes, redis: RedisServer) -> None:
    processes.start("a")
    processes.start("b", borrows=True)
    wait_for(lambda: len(processes.calls()) > 20, "the burst", 20)
    redis.stop()
    stopped = time.monotonic()
    before = len(processes.calls())
    wait_for(lambda: len(processes.calls()) >= before + AWAY_CALLS, "exits and cancels while Redis is away", 20)
    meanwhile = [one for one in processes.calls() if one["monotonic"] > stopped + 0.1]
    assert not [one for one in meanwhile if one["fields"].get("tag", "").startswith("entry")]
    redis.start()
    wait_for(lambda: any(tag.startswith("entry") for tag in processes.tags()[len(meanwhile) :]), "entries again", 20)
    after = len(processes.calls())
    wait_for(lambda: len(processes.calls()) > after + 20, "the burst goes on", 20)
    check(processes.calls())


@pytest.mark.prove
def test_a_process_that_wakes_with_an_old_fence_sends_nothing(processes: Processes) -> None:
    old = processes.start("a")
    wait_for(lambda: len(processes.tags()) > 10, "its burst", 20)
    old.send_signal(signal.SIGSTOP)
    processes.start("b", instance=1)
    wait_for(lambda: any("b" in tag for tag in processes.tags()), "the other takes over", 20)
    seen = len(processes.calls())
    old.send_signal(signal.SIGCONT)
    wait_for(lambda: len(processes.calls()) > seen + 24, "calls after it woke", 20)
    woken = processes.calls()[seen:]
    tags = [one["fields"]["tag"] for one in woken if one["method"] == "POST"]
    assert tags
    assert not [tag for tag in tags if "b" not in tag]
    check(processes.calls())
