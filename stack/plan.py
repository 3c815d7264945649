"""Which workers run, where their pages are, in which order they stop."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import aiohttp

from faust_app.runtime.logging import printed_line, worker_name
from faust_app.runtime.settings import PORT_VARIABLE, Settings
from faust_app.runtime.topics import SHARED
from faust_app.runtime.topology import workers
from stack import ports
from stack.exchange import CLI
from stack.process import Command
from stack.supervisor import Service

STOP_ORDER = (
    ("market_feed",),
    ("strategy_runner", "risk_manager", "trading_engine", "portfolio_manager"),
    ("ledger", "monitor"),
)

OUTSIDE = frozenset({"session", "socket", "order book", "preflight", "lease"})  # conditions of workers
CATCHING_UP = frozenset({"lag"})  # of one that has started and works


@dataclass(frozen=True)
class Planned:
    """One worker: its stage, its broker where it has one, the port of its pages."""

    stage: str
    broker: str | None
    port: int

    @property
    def name(self) -> str:
        """`risk_manager.paper`, `market_feed`."""
        return worker_name(self.stage, self.broker or SHARED)

    def service(self, environment: Mapping[str, str], *, waits: bool = False) -> Service:
        """To be supervised. One that `waits` counts as started also while it waits for a person or the broker."""
        arguments = [sys.executable, "-m", CLI, "worker", self.stage]
        arguments += ["--broker", self.broker] if self.broker else []
        command = Command(
            self.name,
            arguments,
            {**environment, PORT_VARIABLE: str(self.port)},
            grace_seconds=15.0,
            as_written=partial(printed_line, stage=self.stage, broker=self.broker or SHARED),
        )
        return Service(self.name, lambda: command, lambda: is_ready(self.port, waits=waits), ready_seconds=90.0)


def planned_workers(settings: Settings) -> list[Planned]:
    """Every worker with a free port for its pages."""
    found: list[Planned] = []
    port = settings.stack.web_port_base
    for stage, broker in workers(settings):
        while not ports.is_free(port):
            port += 1
        found.append(Planned(stage.name, broker, port))
        port += 1
    return found


def stop_groups(workers: list[Planned]) -> list[list[str]]:
    """Names to stop together, upstream first."""
    return [[one.name for one in workers if one.stage in stages] for stages in STOP_ORDER]


async def is_ready(port: int, *, waits: bool = False) -> bool:
    """True when the worker says so or only catches up; one that `waits` may lack what is not in this stack's power."""
    tolerated = CATCHING_UP | OUTSIDE if waits else CATCHING_UP
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
            session.get(f"http://{ports.HOST}:{port}/readyz") as answer,
        ):
            return answer.status == 200 or tolerated.issuperset((await answer.json())["reasons"])
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError):
        return False
