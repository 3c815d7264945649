"""`/livez`, `/readyz` and `/metrics` of a worker, on its own port."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from faust_app.runtime import metrics
from faust_app.runtime.lifecycle import WorkerState

BEAT_SECONDS = 0.5
STUCK_SECONDS = 10.0


class HealthServer:
    """Serves the pages beside Faust, from before its start until after its stop."""

    def __init__(self, state: WorkerState, *, stage: str, broker: str, host: str, port: int) -> None:
        self._state = state
        self._stage, self._broker = stage, broker
        self._host, self._port = host, port
        self._ready = metrics.WORKER_READY.labels(stage, broker)
        self._delay = metrics.EVENT_LOOP_DELAY.labels(stage, broker)
        self._more_reasons: list[Callable[[], dict[str, str]]] = []
        self._runner: web.AppRunner | None = None
        self._beating: asyncio.Task[None] | None = None

    def add_reasons(self, reasons: Callable[[], dict[str, str]]) -> None:
        """Also ask `reasons` why the worker is not ready; empty when it is."""
        self._more_reasons.append(reasons)

    def reasons(self) -> dict[str, str]:
        """Why the worker is not ready, by condition."""
        found = self._state.reasons
        for more in self._more_reasons:
            found.update(more())
        return found

    async def start(self) -> None:
        """Bind the port."""
        app = web.Application()
        app.add_routes(
            [web.get("/livez", self._livez), web.get("/readyz", self._readyz), web.get("/metrics", self._metrics)]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        self._beating = asyncio.create_task(self._beat())

    async def stop(self) -> None:
        """Release the port."""
        if self._beating is not None:
            self._beating.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _beat(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)
            now = time.monotonic()
            self._delay.observe(max(0.0, now - before - BEAT_SECONDS))
            self._state.last_turn = now
            self._ready.set(0 if self.reasons() else 1)

    async def _livez(self, _request: web.Request) -> web.Response:
        age = time.monotonic() - self._state.last_turn
        if age > STUCK_SECONDS:
            return web.json_response(
                {"alive": False, "reason": f"The event loop last turned {age:.0f} s ago"}, status=503
            )
        return web.json_response({"alive": True})

    async def _readyz(self, _request: web.Request) -> web.Response:
        reasons = self.reasons()
        body = {"stage": self._stage, "broker": self._broker, "ready": not reasons, "reasons": reasons}
        return web.json_response(body, status=503 if reasons else 200)

    async def _metrics(self, _request: web.Request) -> Any:
        return web.Response(body=generate_latest(metrics.OWN), headers={"Content-Type": CONTENT_TYPE_LATEST})
