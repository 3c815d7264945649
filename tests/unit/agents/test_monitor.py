"""What the monitor says of market, disk and dependencies; Kafka's lag is in tests/integration/test_lag.py."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from agents import monitor as module
from agents.monitor import Monitor, attach
from faust_app.runtime.app import Worker
from faust_app.runtime.settings import Settings
from models.messages.market import Marks
from tests.unit.runtime.configurations import configured

OPEN = 1_787_197_600  # Thursday 2026-08-20, 09:16:40 IST
MINUTE = 60


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"alpha_panda_{name}", labels)


def phases(segment: str) -> set[str]:
    return {
        sample.labels["phase"]
        for family in REGISTRY.collect()
        if family.name == "alpha_panda_market_phase"
        for sample in family.samples
        if sample.labels["segment"] == segment and sample.value == 1
    }


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return configured(kite={"root": "http://127.0.0.1:1"}, worker={"data_directory": str(tmp_path / "not" / "yet")})


@pytest.fixture
def monitor(settings: Settings) -> Monitor:
    return Monitor(Worker("monitor", "shared", settings))


def marks(clock: int) -> Marks:
    return Marks(run_id="run", clock=clock, marks=())


async def test_market_goes_on_while_the_feed_is_dead(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a sandbox the last tick dates the exchange; it closes at half past three whether ticks come or not."""
    now = [1_795_000_000.0]
    monitor.clock.now = lambda: now[0]
    assert not monitor.is_open()
    monitor.view.apply(marks(OPEN))
    monitor._show_market()
    assert (value("market_open", segment="NSE"), value("market_open", segment="NFO")) == (1, 1)
    assert phases("NSE") == {"continuous"}
    now[0] += 5 * MINUTE
    monitor._show_market()
    assert value("exchange_time_seconds") == OPEN + 5 * MINUTE
    assert value("market_open", segment="NSE") == 1
    assert monitor.is_open()
    now[0] += 7 * 60 * MINUTE
    monitor._show_market()
    assert (value("market_open", segment="NSE"), value("market_open", segment="NFO")) == (0, 0)
    assert not monitor.is_open()
    opens = value("market_next_open_timestamp_seconds")
    assert opens == OPEN - 100 + 24 * 60 * MINUTE


async def test_at_kite_the_wall_clock_says_when_the_market_is_open(settings: Settings) -> None:
    real = Monitor(Worker("monitor", "shared", configured()))
    real.clock.now = lambda: float(OPEN)
    real._show_market()
    assert value("market_open", segment="NSE") == 1, "also before the feed has said anything"


async def test_disk_is_that_of_the_state_even_before_it_exists(monitor: Monitor) -> None:
    monitor._show_disk()
    free, total = value("disk_free_bytes"), value("disk_size_bytes")
    assert free is not None
    assert total is not None
    assert 0 < free < total


async def test_dependency_that_does_not_answer_is_a_metric_and_not_an_error(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs() -> None:
        await asyncio.Event().wait()

    async def fails() -> None:
        raise OSError("away")

    async def answers() -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.01)
    seen: list[Any] = []
    for probe in (hangs, fails, answers):
        began = time.monotonic()
        await monitor._probe("redis", probe)
        seen.append(value("dependency_up", dependency="redis"))
        assert time.monotonic() - began < 5
    assert seen == [0, 0, 1]
    assert value("dependency_answer_seconds", dependency="redis") is not None


async def test_people_are_told_only_when_somebody_has_said_whom(settings: Settings, tmp_path: Path) -> None:
    def tasks(config: Settings) -> set[str]:
        worker = Worker("monitor", "shared", config)
        attach(worker)
        return {name for name, _ in worker._background}

    notices = {"enabled": True, "addresses_file": str(tmp_path / "addresses")}
    assert not {"notifier", "notices"} & tasks(settings)
    assert {"notifier", "notices"} <= tasks(configured(notices=notices))
