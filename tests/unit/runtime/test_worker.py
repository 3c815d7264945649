"""What a worker is built of, without Kafka: its names, its tables' writes, its background work and its end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from prometheus_client import REGISTRY

from faust_app.runtime import app as app_module
from faust_app.runtime.app import Worker, required_broker
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.exact import ExactTableManager, ExactTransport
from faust_app.runtime.settings import BROKER_VARIABLE, INSTANCE_VARIABLE, PORT_VARIABLE, Settings
from faust_app.runtime.topology import topic_specs
from tables.journal import Output
from tests.unit.runtime.configurations import configured
from tests.unit.runtime.loop_fakes import Died, until
from tests.unit.runtime.ports import free_port


def settings_in(folder: Path, **values: Any) -> Settings:
    return configured(worker={"data_directory": str(folder / "tables")}, **values)


@pytest.fixture
async def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worker:
    monkeypatch.setenv(PORT_VARIABLE, str(free_port()))
    monkeypatch.setattr(app_module, "CANCEL_SECONDS", 0.02)
    monkeypatch.setattr(app_module, "configure_logging", lambda *_, **__: None)  # the test run has its own
    return Worker("risk_manager", "paper", settings_in(tmp_path))


async def test_group_instance_and_folder_are_the_workers_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for stage, broker, instance in (
        ("risk_manager", "paper", "0"),
        ("ledger", "shared", "0"),
        ("ledger", "shared", "1"),
    ):
        monkeypatch.setenv(INSTANCE_VARIABLE, instance)
        conf = Worker(stage, broker, settings_in(tmp_path, namespace="replay-1.")).app.conf
        found.append((conf.id, conf.consumer_group_instance_id, conf.datadir.name))
    assert found == [
        (
            "replay-1.alpha-panda.risk_manager.paper",
            "replay-1.alpha-panda.risk_manager.paper-0",
            "replay-1.alpha-panda.risk_manager.paper-0",
        ),
        ("replay-1.alpha-panda.ledger", "replay-1.alpha-panda.ledger-0", "replay-1.alpha-panda.ledger-0"),
        ("replay-1.alpha-panda.ledger", "replay-1.alpha-panda.ledger-1", "replay-1.alpha-panda.ledger-1"),
    ]


async def test_delivery_is_the_corrected_one(worker: Worker) -> None:
    app = worker.app
    assert isinstance(app.transport, ExactTransport)
    assert isinstance(app.producer_transport, ExactTransport)
    assert isinstance(app.tables, ExactTableManager)
    assert str(app.conf.processing_guarantee).endswith("AT_LEAST_ONCE")
    assert app.conf.consumer_auto_offset_reset == "earliest"
    assert (app.conf.topic_allow_declare, app.conf.producer_acks, app.conf.table_standby_replicas) == (False, -1, 0)


async def test_table_has_the_changelog_that_bootstrap_creates(worker: Worker) -> None:
    table = worker.table("exposure", "test")
    spec = next(one for one in topic_specs(worker.settings) if one.name == table.changelog_topic_name)
    assert (table.partitions, spec.cleanup) == (spec.partitions, "compact")


async def test_writes_of_all_tables_are_handed_over_once(worker: Worker) -> None:
    one, other = worker.table("one", "x"), worker.table("other", "x")
    one.pending_writes, other.pending_writes = [1], [2, 3]
    assert worker._take_writes() == [1, 2, 3]
    assert worker._take_writes() == []


async def test_any_message_a_topic_takes_also_fits_its_dead_letters(worker: Worker) -> None:
    """The dead letter has the original bytes and headers of its own."""
    specs = {spec.name: spec for spec in topic_specs(worker.settings)}
    for name, spec in specs.items():
        if name.endswith(".dlq"):
            assert spec.max_message_bytes >= specs[name.removesuffix(".dlq")].max_message_bytes + 8_192
            assert worker.app.conf.producer_max_request_size >= spec.max_message_bytes


async def test_background_work_runs_until_the_end(worker: Worker) -> None:
    running, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    worker.background("work", work)
    await begin(worker)
    await asyncio.wait_for(running.wait(), 5)
    assert "start" not in worker.state.reasons
    await asyncio.wait_for(worker.end(), 5)
    assert ended.is_set()


async def test_worker_ends_although_a_library_swallows_the_cancellation(worker: Worker) -> None:
    """`asyncio.wait_for` of Python 3.11 does when what it waits for ends at the same time."""
    swallowed: list[int] = []

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                swallowed.append(1)
                if len(swallowed) > 2:
                    raise

    worker.background("stubborn", stubborn)
    await begin(worker)
    await asyncio.sleep(0.02)
    await asyncio.wait_for(worker.end(), 20)
    assert len(swallowed) == 3


async def test_background_work_that_fails_kills_the_worker(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    deaths: list[str] = []

    def die(what: str, error: BaseException) -> None:
        deaths.append(f"{what}: {error}")
        raise Died(what)

    async def work() -> None:
        raise RuntimeError("no licence")

    monkeypatch.setattr(app_module, "die", die)
    worker.background("marks", work)
    await begin(worker)
    await until(lambda: deaths)
    assert deaths == ["risk_manager: marks failed: no licence"]
    await worker.end()


async def begin(worker: Worker) -> None:
    """Begin as Faust does, for a worker that consumes nothing."""
    worker.app.producer_only = True
    await worker.begin()


async def test_message_nobody_waits_for_may_fail_and_is_counted(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send_all(outputs: list[Output]) -> None:
        raise KafkaConnectionError("gone")

    def errors() -> float:
        labels = {"stage": "risk_manager", "broker": "paper"}
        return REGISTRY.get_sample_value("alpha_panda_send_errors_total", labels) or 0.0

    before = errors()
    monkeypatch.setattr(worker.publisher, "send_all", send_all)
    assert not await worker.try_send(Output("topic", b"k", b"v"))
    assert errors() == before + 1


async def test_worker_is_not_ready_without_its_partitions(worker: Worker) -> None:
    assert "assignment" in worker._assignment_reasons()
    worker.app.tables.on_actives_ready()
    worker.app.rebalancing = False
    assert worker._assignment_reasons() == {}
    worker.app.rebalancing = True
    assert "assignment" in worker._assignment_reasons()


async def test_callbacks_after_recovery_and_before_the_stop_are_awaited(worker: Worker) -> None:
    called: list[str] = []

    def noting(what: str) -> Any:
        async def note() -> None:
            called.append(what)

        return note

    worker.on_recovered(noting("recovered"))
    worker.on_stopping(noting("stopping"))
    await worker._on_recovered()
    await worker.stopping()
    assert called == ["recovered", "stopping"]


@pytest.mark.parametrize("broker", [None, "", "nobody", "dormant"])
def test_broker_has_to_be_enabled(monkeypatch: pytest.MonkeyPatch, broker: str | None) -> None:
    monkeypatch.delenv(BROKER_VARIABLE, raising=False)
    if broker is not None:
        monkeypatch.setenv(BROKER_VARIABLE, broker)
    with pytest.raises(ConfigurationError, match=r"ALPHA_PANDA_BROKER is .* enabled brokers: paper, zerodha"):
        required_broker(configured())


def test_enabled_broker_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BROKER_VARIABLE, "zerodha")
    assert required_broker(configured()) == "zerodha"
