"""Readiness of a running stack's workers, asked of the workers themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from faust_app.runtime.pages import read_pages
from stack.ports import HOST


async def read_status(state: Path) -> list[dict[str, Any]]:
    """One row per worker of the stack on this state folder, in the order of the flow."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        return await asyncio.gather(*(_ask(session, name, port) for name, port in read_pages(state).items()))


async def _ask(session: aiohttp.ClientSession, name: str, port: int) -> dict[str, Any]:
    try:
        async with session.get(f"http://{HOST}:{port}/readyz") as answer:
            body = await answer.json()
            reasons = "; ".join(body.get("reasons", {}).values())
            return {"worker": name, "ready": answer.status == 200, "reasons": reasons, "port": port}
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return {"worker": name, "ready": False, "reasons": "does not answer", "port": port}
