"""A consume loop's surroundings, with the process's death replaced."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.runtime.loop_fakes import Around


@pytest.fixture
async def around(monkeypatch: pytest.MonkeyPatch) -> Around:
    found = Around()
    monkeypatch.setattr("faust_app.runtime.consume.die", found.die)
    return found


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds the loop asked to wait; it waits no longer than a turn."""
    asked: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        asked.append(seconds)
        await sleep(0)

    monkeypatch.setattr("faust_app.runtime.consume.asyncio.sleep", noted)
    return asked
