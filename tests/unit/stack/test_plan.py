from __future__ import annotations

import socket
import sys

import pytest
from aiohttp import web

from faust_app.runtime.settings import Settings
from stack.plan import Planned, is_ready, planned_workers, stop_groups
from stack.ports import HOST, any_free


def settings(base: int, *brokers: str) -> Settings:
    return Settings.model_validate(
        {"brokers": {name: {"enabled": True} for name in brokers}, "stack": {"web_port_base": base}}
    )


def test_every_stage_is_planned_once_per_broker_where_it_has_one() -> None:
    assert sorted(one.name for one in planned_workers(settings(any_free(), "paper", "zerodha"))) == [
        "ledger", "market_feed", "monitor",
        "portfolio_manager.paper", "portfolio_manager.zerodha",
        "risk_manager.paper", "risk_manager.zerodha",
        "strategy_runner",
        "trading_engine.paper", "trading_engine.zerodha",
    ]  # fmt: skip


def test_each_worker_has_a_port_of_its_own_and_taken_ones_are_left_out() -> None:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        base = listener.getsockname()[1]
        ports = [one.port for one in planned_workers(settings(base, "paper"))]
    assert base not in ports
    assert len({*ports}) == len(ports) == 7
    assert min(ports) > base


def test_groups_stop_every_worker_once_upstream_first() -> None:
    planned = planned_workers(settings(any_free(), "paper", "zerodha"))
    groups = stop_groups(planned)
    assert sorted(name for group in groups for name in group) == sorted(one.name for one in planned)
    place = {name: number for number, group in enumerate(groups) for name in group}
    assert place["market_feed"] < place["strategy_runner"] <= place["trading_engine.paper"] < place["ledger"]


@pytest.mark.parametrize("broker", ["paper", None])
def test_worker_gets_its_broker_its_port_and_our_environment(broker: str | None) -> None:
    planned = Planned("risk_manager" if broker else "ledger", broker, 7000)
    command = planned.service({"ALPHA_PANDA_PROFILE": "sandbox"}).command()
    expected = [sys.executable, "-m", "faust_app.commands.cli", "worker", planned.stage]
    assert [*command.arguments] == [*expected, *(["--broker", broker] if broker else [])]
    assert command.environment == {"ALPHA_PANDA_PROFILE": "sandbox", "ALPHA_PANDA_WEB_PORT": "7000"}
    assert command.name == (f"risk_manager.{broker}" if broker else "ledger")


@pytest.mark.parametrize(
    ("status", "reasons", "waits", "ready"),
    [
        (200, [], False, True),
        (503, ["lag"], False, True),
        (503, ["lag", "kafka"], False, False),
        (503, ["session"], False, False),
        (503, ["session", "lag"], True, True),
        (503, ["session", "assignment"], True, False),
    ],
)
async def test_a_worker_that_only_catches_up_has_started(
    status: int, reasons: list[str], waits: bool, ready: bool
) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.json_response({"reasons": dict.fromkeys(reasons, "Some words")}, status=status)

    app = web.Application()
    app.router.add_get("/readyz", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    assert await is_ready(runner.addresses[0][1], waits=waits) is ready
    await runner.cleanup()
