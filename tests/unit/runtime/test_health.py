"""The worker's pages over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from faust_app.runtime import health, metrics
from faust_app.runtime.health import HealthServer
from faust_app.runtime.lifecycle import WorkerState
from tests.unit.runtime.loop_fakes import until
from tests.unit.runtime.ports import free_port


class Pages:
    """A started server and a client."""

    def __init__(self, server: HealthServer, state: WorkerState, port: int, client: aiohttp.ClientSession) -> None:
        self.server, self.state, self.port, self.client = server, state, port, client

    async def get(self, path: str) -> tuple[int, str]:
        async with self.client.get(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, await answer.text()

    async def json(self, path: str) -> tuple[int, dict[str, object]]:
        async with self.client.get(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, await answer.json()


def server_on(port: int, state: WorkerState) -> HealthServer:
    return HealthServer(state, stage="health_test", broker="paper", host="127.0.0.1", port=port)


@pytest.fixture
async def pages(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pages]:
    monkeypatch.setattr(health, "BEAT_SECONDS", 0.01)
    port, state = free_port(), WorkerState()
    server = server_on(port, state)
    await server.start()
    async with aiohttp.ClientSession() as client:
        yield Pages(server, state, port, client)
    await server.stop()


def gauge(name: str) -> float | None:
    return REGISTRY.get_sample_value(f"alpha_panda_{name}", {"stage": "health_test", "broker": "paper"})


async def test_worker_that_starts_is_alive_and_not_ready(pages: Pages) -> None:
    assert await pages.json("/livez") == (200, {"alive": True})
    status, body = await pages.json("/readyz")
    assert status == 503
    assert body == {
        "stage": "health_test",
        "broker": "paper",
        "ready": False,
        "reasons": {"start": "The worker is starting"},
    }


async def test_worker_is_ready_when_every_condition_is_met(pages: Pages) -> None:
    pages.state.recovered("start")
    status, body = await pages.json("/readyz")
    assert (status, body["ready"], body["reasons"]) == (200, True, {})
    pages.state.degraded("kafka", "Kafka is away")
    status, body = await pages.json("/readyz")
    assert (status, body["reasons"]) == (503, {"kafka": "Kafka is away"})
    pages.state.recovered("kafka")
    assert (await pages.json("/readyz"))[0] == 200


async def test_added_reasons_are_asked_each_time(pages: Pages) -> None:
    pages.state.recovered("start")
    found: dict[str, str] = {"assignment": "Not assigned"}
    pages.server.add_reasons(lambda: found)
    assert (await pages.json("/readyz"))[1]["reasons"] == found
    found.clear()
    assert (await pages.json("/readyz"))[0] == 200


async def test_readiness_and_loop_delay_are_metrics(pages: Pages) -> None:
    await until(lambda: gauge("worker_ready") == 0)
    pages.state.recovered("start")
    await until(lambda: gauge("worker_ready") == 1)
    pages.state.degraded("x", "y")
    await until(lambda: gauge("worker_ready") == 0)
    turns = gauge("event_loop_delay_seconds_count")
    assert turns is not None
    await until(lambda: (gauge("event_loop_delay_seconds_count") or 0) > turns)


async def test_event_loop_that_does_not_turn_is_not_alive(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "BEAT_SECONDS", 60)
    await asyncio.sleep(0.05)
    pages.state.last_turn -= health.STUCK_SECONDS - 1
    assert (await pages.json("/livez"))[0] == 200
    pages.state.last_turn -= 2
    status, body = await pages.json("/livez")
    assert status == 503
    assert body["alive"] is False
    assert "last turned" in str(body["reason"])


async def test_metrics_page_can_be_scraped(pages: Pages) -> None:
    metrics.BUILD_INFO.labels("health_test", "paper", "1").set(1)
    status, text = await pages.get("/metrics")
    assert status == 200
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"alpha_panda_build_info", "alpha_panda_worker_ready", "process_resident_memory_bytes"} <= names


async def test_nothing_else_is_served(pages: Pages) -> None:
    for path in ("/", "/tables", "/table/portfolios/paper:main/", "/router/", "/performance/"):
        assert (await pages.get(path))[0] == 404


async def test_taken_port_fails_the_start_and_stop_cleans_up(pages: Pages) -> None:
    second = server_on(pages.port, WorkerState())
    with pytest.raises(OSError, match="in use"):
        await second.start()
    await second.stop()
    assert (await pages.json("/livez"))[0] == 200


async def test_stop_releases_the_port() -> None:
    port = free_port()
    for _ in range(2):
        server = server_on(port, WorkerState())
        await server.start()
        await server.stop()
    await server_on(port, WorkerState()).stop()
