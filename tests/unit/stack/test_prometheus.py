"""Prometheus' configuration for one run, its targets, where its programs are; Prometheus itself is in the e2e tests."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from faust_app.runtime.settings import Settings
from stack import programs
from stack import prometheus as module
from stack.errors import CannotStart, CannotStay
from stack.plan import Planned
from stack.ports import HOST, any_free
from stack.prometheus import Observer, Programs, find_programs, rendered
from stack.supervisor import Service
from stack.targets import forget_targets, targets_file, write_targets
from tests.promtools import required

SOURCE = """
global: {scrape_interval: 5s}
rule_files: [rules/*.yml]
alerting:
  alert_relabel_configs: []
  alertmanagers:
    - scheme: http
      static_configs: [{targets: ["127.0.0.1:9093"]}]
scrape_configs:
  - job_name: alpha-panda
    honor_labels: true
    file_sd_configs: [{files: ["targets/*.json"]}]
  - job_name: prometheus
    static_configs: [{targets: ["127.0.0.1:9090"]}]
  - job_name: alertmanager
    metrics_path: /metrics
    static_configs: [{targets: ["127.0.0.1:9093"]}]
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "project" / "prometheus.yml"
    file.parent.mkdir()
    file.write_text(SOURCE)
    return file


def jobs(text: str) -> dict[str, Any]:
    return {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}


def test_ports_of_the_run_are_in_the_configuration_and_the_rest_is_as_it_was(source: Path) -> None:
    text = rendered(source, own=1111, sender=2222)
    config, before = yaml.safe_load(text), yaml.safe_load(SOURCE)
    assert config["rule_files"] == [str(source.parent / "rules/*.yml")]
    assert jobs(text)["alpha-panda"] == before["scrape_configs"][0]
    assert jobs(text)["prometheus"]["static_configs"] == [{"targets": ["127.0.0.1:1111"]}]
    assert jobs(text)["alertmanager"]["static_configs"] == [{"targets": ["127.0.0.1:2222"]}]
    assert config["alerting"] == {
        "alert_relabel_configs": [],
        "alertmanagers": [{"scheme": "http", "static_configs": [{"targets": ["127.0.0.1:2222"]}]}],
    }
    assert config["global"] == before["global"]


def test_without_alertmanager_nobody_is_asked_to_send(source: Path) -> None:
    text = rendered(source, own=1111, sender=None)
    assert "alerting" not in yaml.safe_load(text)
    assert jobs(text).keys() == {"alpha-panda", "prometheus"}


def test_configuration_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"nothing\.yml cannot be read: "):
        rendered(tmp_path / "nothing.yml", own=1, sender=None)


def observer(folder: Path, alertmanager: Path | None, alerting: dict[str, Any] | None = None, **stack: Any) -> Observer:
    given = {"prometheus_port": any_free(), "alertmanager_port": any_free(), **stack}
    settings = Settings.model_validate({"stack": given, "alerting": alerting or {}})
    return Observer(Programs(Path("/bin/prometheus"), alertmanager), folder, settings)


class Started:
    """A supervisor that starts nothing; `refused` does not get ready."""

    def __init__(self, refused: str = "") -> None:
        self.services: dict[str, Service] = {}
        self.stopped: list[str] = []
        self._refused = refused

    async def start(self, services: list[Service]) -> None:
        for one in services:
            self.services[one.name] = one
            if one.name == self._refused:
                raise CannotStay(one.name, "is not ready after 30 s", ["no such template"])

    async def stop(self, *names: str) -> None:
        self.stopped += names

    def arguments(self, name: str) -> set[str]:
        return {*self.services[name].command().arguments}


@pytest.fixture
def project(source: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder of Prometheus."""
    monkeypatch.setattr(module, "SOURCE", source.parent)
    return source.parent


async def start(one: Observer, supervisor: Any) -> list[str]:
    one.prepare()
    return await one.start(supervisor)


async def test_everything_listens_on_loopback_and_data_are_in_the_state_folder(project: Path, tmp_path: Path) -> None:
    supervisor = Started()
    ports = {"prometheus_port": any_free(), "alertmanager_port": any_free()}
    one = observer(tmp_path / "state", Path("/bin/alertmanager"), prometheus_days=3, prometheus_megabytes=200, **ports)
    said = await start(one, supervisor)
    folder = tmp_path / "state" / "prometheus"
    for name, port in (("prometheus", ports["prometheus_port"]), ("alertmanager", ports["alertmanager_port"])):
        assert f"--web.listen-address={HOST}:{port}" in supervisor.arguments(name)
        assert f"--config.file={folder}/{name}.yml" in supervisor.arguments(name)
        assert f"{name.capitalize()} is at http://{HOST}:{port}" in said
    first, second = supervisor.arguments("prometheus"), supervisor.arguments("alertmanager")
    assert {"--storage.tsdb.retention.time=3d", "--storage.tsdb.retention.size=200MB"} <= first
    assert f"--storage.tsdb.path={folder}/data" in first
    assert {f"--storage.path={folder}/alertmanager", "--cluster.listen-address="} <= second
    assert not any(service.is_vital for service in supervisor.services.values())
    written = (folder / "prometheus.yml").read_text()
    assert jobs(written)["prometheus"]["static_configs"] == [{"targets": [f"{HOST}:{ports['prometheus_port']}"]}]


async def test_without_alertmanager_only_prometheus_is_run_and_says_so(project: Path, tmp_path: Path) -> None:
    supervisor = Started()
    said = await start(observer(tmp_path, None), supervisor)
    assert supervisor.services.keys() == {"prometheus"}
    assert said[-1].startswith("Alerts are shown and sent to nobody. Alertmanager is not installed. ")


async def test_an_alertmanager_that_does_not_start_is_told_and_ends_nothing(project: Path, tmp_path: Path) -> None:
    supervisor = Started("alertmanager")
    said = await start(observer(tmp_path, Path("/bin/alertmanager")), supervisor)
    assert said[-1].startswith("Alerts are shown and sent to nobody: alertmanager is not ready after 30 s; its last")
    assert supervisor.stopped == ["alertmanager"]


async def test_a_prometheus_that_does_not_start_is_an_error(project: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotStay, match="^prometheus is not ready"):
        await start(observer(tmp_path, None), Started("prometheus"))


async def test_secrets_of_receivers_are_its_owners_and_gone_after_the_run(project: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("12:s3cret")
    one = observer(tmp_path, Path("/bin/a"), {"telegram_chat_id": 5, "telegram_token_file": token})
    supervisor: Any = Started()
    said = await start(one, supervisor)
    file = tmp_path / "prometheus" / "alertmanager.yml"
    assert "12:s3cret" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert "s3cret" not in " ".join([*said, *supervisor.arguments("prometheus"), *supervisor.arguments("alertmanager")])
    await one.stop(supervisor)
    assert supervisor.stopped == ["prometheus", "alertmanager"]
    assert not file.exists()


def test_a_taken_port_that_was_asked_for_is_refused(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(CannotStart, match=f"^Port {port} for Prometheus is taken"):
            observer(tmp_path, None, prometheus_port=port)


def test_targets_name_the_stage_broker_and_worker_of_every_page(tmp_path: Path) -> None:
    write_targets(tmp_path, [Planned("risk_manager", "paper", 7001), Planned("ledger", None, 7002)])
    assert json.loads(targets_file(tmp_path).read_text()) == [
        {
            "targets": ["127.0.0.1:7001"],
            "labels": {"stage": "risk_manager", "broker": "paper", "worker": "risk_manager.paper"},
        },
        {"targets": ["127.0.0.1:7002"], "labels": {"stage": "ledger", "broker": "shared", "worker": "ledger"}},
    ]
    assert [file.name for file in targets_file(tmp_path).parent.iterdir()] == ["workers.json"]
    forget_targets(tmp_path)
    forget_targets(tmp_path)
    assert not targets_file(tmp_path).exists()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One without any program, and an empty folder of tools."""
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setattr(programs, "TOOLS", tools)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tools


def install(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)
    return folder / name


def test_programs_are_found_in_the_path_first_and_then_in_tools(machine: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="^Prometheus is not installed"):
        find_programs()
    ours = install(machine, "prometheus")
    assert find_programs().prometheus == ours
    theirs = install(tmp_path / "bin", "prometheus")
    assert find_programs().prometheus == theirs


def test_alertmanager_has_another_name_in_debian_and_may_be_missing(machine: Path) -> None:
    install(machine, "prometheus")
    assert find_programs().alertmanager is None
    found = install(machine, "prometheus-alertmanager")
    assert find_programs().alertmanager == found


def test_real_promtool_takes_what_is_rendered(source: Path, tmp_path: Path) -> None:
    promtool = required("promtool")
    (source.parent / "rules").mkdir()
    (source.parent / "rules" / "one.yml").write_text("groups: [{name: a, rules: [{record: 'a:b', expr: up}]}]")
    file = tmp_path / "prometheus.yml"
    file.write_text(rendered(source, own=any_free(), sender=any_free()))
    write_targets(tmp_path, [Planned("ledger", None, 7002)])
    done = subprocess.run(
        [promtool, "check", "config", file], capture_output=True, text=True, env=dict(os.environ), check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS: 1 rules found" in done.stdout
