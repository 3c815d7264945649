"""Kafka, PostgreSQL, Redis and the exchange freeze, one after the other, while the pipeline runs.

What is expected is `docs/runbooks/dependency-away.md`, row by row. A frozen process keeps its connections and answers
nothing, the worst way of being away. That nothing was lost meanwhile is counted in `test_pipeline_end.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.freezing import frozen
from tests.running_stack import RunningStack, metrics, reasons, total, wait_for

TRADING = (
    "market_feed",
    "strategy_runner",
    "risk_manager.paper",
    "trading_engine.paper",
    "portfolio_manager.paper",
)
PROGRESS = {
    "market_feed": "ticks_published_total",
    "portfolio_manager.paper": "snapshots_total",
}


def progress(ports: dict[str, int], worker: str) -> float:
    return total(metrics(ports[worker]), PROGRESS.get(worker, "messages_handled_total"))


def goes_on(ports: dict[str, int], *workers: str) -> None:
    """Each of these workers does more work from here on."""
    before = {worker: progress(ports, worker) for worker in workers}
    for worker in workers:
        wait_for(lambda worker=worker: progress(ports, worker) > before[worker], f"progress of {worker}", 40)


def probe(ports: dict[str, int], name: str) -> float:
    found = metrics(ports["monitor"])
    return next(
        value
        for (metric, labels), value in found.items()
        if metric == "alpha_panda_dependency_up" and dict(labels)["dependency"] == name
    )


@pytest.fixture
def ports(stack: RunningStack) -> Iterator[dict[str, int]]:
    """Pages of all workers, every one of them ready; being without a dependency must not end any of them."""
    wait_for(stack.all_ready, "readiness of all workers", 60)
    ports = stack.ports()
    pids = {name: stack.worker_pid(name) for name in ports}
    yield ports
    assert {name: stack.worker_pid(name) for name in ports} == pids


def test_without_postgresql_trading_goes_on_and_the_ledger_catches_up(
    stack: RunningStack, ports: dict[str, int]
) -> None:
    with frozen(stack, "postgres"):
        goes_on(ports, *TRADING)
        wait_for(lambda: "PostgreSQL" in " ".join(reasons(ports["ledger"]).values()), "the ledger's complaint", 60)
        wait_for(lambda: probe(ports, "postgres") == 0, "the monitor's", 30)
        assert not reasons(ports["trading_engine.paper"])
    wait_for(stack.all_ready, "readiness afterwards", 60)
    goes_on(ports, "ledger")


def test_without_redis_simulated_accounts_go_on(stack: RunningStack, ports: dict[str, int]) -> None:
    with frozen(stack, "redis"):
        goes_on(ports, *TRADING, "ledger")
        wait_for(lambda: probe(ports, "redis") == 0, "the monitor's complaint", 30)
    wait_for(stack.all_ready, "readiness afterwards", 60)
    wait_for(lambda: probe(ports, "redis") == 1, "the monitor's probe", 30)


def test_without_the_exchange_the_feed_replaces_its_socket(stack: RunningStack, ports: dict[str, int]) -> None:
    with frozen(stack, "exchange"):
        wait_for(lambda: reasons(ports["market_feed"]), "the feed's complaint", 30)
        for worker in TRADING[1:]:
            assert not reasons(ports[worker]), worker
    wait_for(stack.all_ready, "readiness afterwards", 60)
    goes_on(ports, *TRADING)


def test_without_kafka_everything_waits_and_a_halt_still_works(stack: RunningStack, ports: dict[str, int]) -> None:
    with frozen(stack, "kafka"):
        wait_for(lambda: reasons(ports["trading_engine.paper"]), "the engine's complaint", 60)
        wait_for(lambda: probe(ports, "kafka") == 0, "the monitor's", 40)
        said = stack.command("halt", "--strategy", "momentum", "--reason", "Kafka is away", code=1)
        assert "strategy:momentum is halted" in said.stdout
        assert said.stderr.startswith("The state is in force, but not in the audit trail: Kafka at ")
    wait_for(stack.all_ready, "readiness afterwards", 90)
    stack.command("resume", "--strategy", "momentum", "--reason", "Kafka is back", "--yes")
    goes_on(ports, *TRADING, "ledger")
