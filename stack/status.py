"""What a running stack's workers say of themselves: ready or why not, and the figures of their metrics."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp

from faust_app.runtime.pages import read_pages
from stack.figures import of_worker
from stack.ports import HOST
from stack.scrape import Scraper


async def read_status(state: Path) -> list[dict[str, Any]]:
    """One row per worker of the stack on this state folder, in the order of the flow."""
    pages = read_pages(state)
    scraper = Scraper(pages)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        asked = asyncio.gather(*(_ask(session, name, port) for name, port in pages.items()))
        rows, _ = await asyncio.gather(asked, scraper.scrape())
    await scraper.close()
    now = time.time()
    return [{**row, **of_worker(scraper.totals, row["worker"], now)} for row in rows]


async def _ask(session: aiohttp.ClientSession, name: str, port: int) -> dict[str, Any]:
    try:
        async with session.get(f"http://{HOST}:{port}/readyz") as answer:
            body = await answer.json()
            reasons = "; ".join(body.get("reasons", {}).values())
            return {"worker": name, "ready": answer.status == 200, "reasons": reasons, "port": port}
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return {"worker": name, "ready": False, "reasons": "does not answer", "port": port}
