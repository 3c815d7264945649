"""Readiness of a running stack's workers, asked of the workers themselves."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from faust_app.runtime.settings import Settings
from faust_app.runtime.topology import workers
from stack.ports import HOST

SPARE_PORTS = 40


async def read_status(settings: Settings) -> list[dict[str, Any]]:
    """One row per worker that answers, in the order of the flow."""
    first = settings.stack.web_port_base
    ports = range(first, first + len(workers(settings)) + SPARE_PORTS)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        rows = await asyncio.gather(*(_ask(session, port) for port in ports))
    return [row for row in rows if row is not None]


async def _ask(session: aiohttp.ClientSession, port: int) -> dict[str, Any] | None:
    try:
        async with session.get(f"http://{HOST}:{port}/readyz") as answer:
            body = await answer.json()
            name = body["stage"] if body["broker"] == "shared" else f"{body['stage']}.{body['broker']}"
            reasons = "; ".join(body.get("reasons", {}).values())
            return {"worker": name, "ready": answer.status == 200, "reasons": reasons, "port": port}
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError):
        return None
