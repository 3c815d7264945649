"""Reference data is loaded for as long as it takes; the worker is not ready meanwhile."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from agents import reference as module
from agents.reference import Reference
from faust_app.runtime.errors import TransientError
from faust_app.runtime.lifecycle import WorkerState
from tests.unit.runtime.configurations import configured
from tests.unit.runtime.loop_fakes import until


async def test_worker_is_not_ready_until_what_it_needs_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.01)
    state, is_away = WorkerState(), True
    worker: Any = SimpleNamespace(settings=configured(), state=state)

    async def query() -> str:
        if is_away:
            raise TransientError("PostgreSQL is away")
        return "limits"

    loading = asyncio.create_task(Reference(worker).load("limits", query))
    await until(lambda: state.reasons.get("reference") == "Cannot load limits: PostgreSQL is away")
    is_away = False
    assert await loading == "limits"
    assert "reference" not in state.reasons
