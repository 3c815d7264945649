"""Prometheus and Alertmanager beside the stack, on loopback: configured for one run, their data kept between runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from faust_app.runtime.sections import StackSettings
from faust_app.runtime.settings import PROJECT, Settings
from stack import alertmanager, ports, programs
from stack.errors import CannotStart, CannotStay
from stack.files import replace_file
from stack.process import Command
from stack.supervisor import Service, Supervisor
from stack.targets import FOLDER

SOURCE = PROJECT / "prometheus"
NAME, ALERTMANAGER = "prometheus", "alertmanager"
CONFIG, ALERTMANAGER_CONFIG = "prometheus.yml", "alertmanager.yml"
ANSWER_SECONDS = 2.0
READY_SECONDS = 30.0
SENT_TO_NOBODY = "Alerts are shown and sent to nobody"


@dataclass(frozen=True)
class Programs:
    """What is on this machine. Without Alertmanager alerts are shown, but not sent."""

    prometheus: Path
    alertmanager: Path | None


def find_programs() -> Programs:
    """Raises CannotStart when Prometheus is missing."""
    return Programs(programs.required(NAME), programs.find(ALERTMANAGER))


class Observer:
    """Both of them for one run of the stack."""

    def __init__(self, found: Programs, state: Path, settings: Settings) -> None:
        """Chooses ports. Raises CannotStart for one that was asked for and is taken."""
        self._programs = found
        self._folder = (state / FOLDER).absolute()
        self._settings = settings
        self._port = _port(settings.stack, NAME)
        self._alertmanager_port = None if found.alertmanager is None else _port(settings.stack, ALERTMANAGER)

    def prepare(self) -> None:
        """Write their configuration. Raises CannotStart, and ConfigurationError for what the settings say wrong."""
        self._folder.mkdir(parents=True, exist_ok=True)
        text = rendered(SOURCE / CONFIG, own=self._port, sender=self._alertmanager_port)
        replace_file(self._folder / CONFIG, text)
        if self._alertmanager_port is not None:
            alertmanager.write(self._settings.alerting, self._folder / ALERTMANAGER_CONFIG)

    def forget_secrets(self) -> None:
        """The run is over; Alertmanager's configuration may have a token in it."""
        (self._folder / ALERTMANAGER_CONFIG).unlink(missing_ok=True)

    async def start(self, supervisor: Supervisor) -> list[str]:
        """Start both, once `prepare` has been called; what people are told of them.

        Raises CannotStay when Prometheus does not start. Without Alertmanager alerts are shown, but not sent.
        """
        await supervisor.start([self._service(NAME, self._prometheus(), self._port)])
        return [f"Prometheus is at {_url(self._port)}", *await self._start_sender(supervisor)]

    async def _start_sender(self, supervisor: Supervisor) -> list[str]:
        port = self._alertmanager_port
        if port is None or self._programs.alertmanager is None:
            return [f"{SENT_TO_NOBODY}. {programs.how_to_install(ALERTMANAGER)}"]
        arguments = self._alertmanager(self._programs.alertmanager, port)
        try:
            await supervisor.start([self._service(ALERTMANAGER, arguments, port)])
        except CannotStay as error:
            await supervisor.stop(ALERTMANAGER)
            return [f"{SENT_TO_NOBODY}: {error}"]
        return [f"Alertmanager is at {_url(port)}", *alertmanager.told(self._settings.alerting)]

    async def stop(self, supervisor: Supervisor) -> None:
        """Stop both; Alertmanager's configuration may have a token in it, and goes."""
        await supervisor.stop(NAME, ALERTMANAGER)
        (self._folder / ALERTMANAGER_CONFIG).unlink(missing_ok=True)

    def _service(self, name: str, arguments: list[str], port: int) -> Service:
        command = Command(name, arguments)
        return Service(name, lambda: command, lambda: is_ready(port), ready_seconds=READY_SECONDS, is_vital=False)

    def _prometheus(self) -> list[str]:
        return [
            str(self._programs.prometheus),
            f"--config.file={self._folder / CONFIG}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--storage.tsdb.retention.time={self._settings.stack.prometheus_days}d",
            f"--storage.tsdb.retention.size={self._settings.stack.prometheus_megabytes}MB",
            *_listening(self._port),
        ]

    def _alertmanager(self, program: Path, port: int) -> list[str]:
        return [
            *alertmanager.launch(program),
            f"--config.file={self._folder / ALERTMANAGER_CONFIG}",
            f"--storage.path={self._folder / ALERTMANAGER}",
            "--cluster.listen-address=",  # it is alone
            *_listening(port),
        ]


def rendered(source: Path, *, own: int, sender: int | None) -> str:
    """The project's configuration with this run's ports, its own and Alertmanager's.

    Rules stay where they are; targets are read beside the file.
    Jobs called `prometheus` and `alertmanager` watch these two themselves.
    """
    try:
        config: dict[str, Any] = yaml.safe_load(source.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise CannotStart(f"{source} cannot be read: {error}") from error
    watched = {NAME: own, ALERTMANAGER: sender}
    config["rule_files"] = [str(source.parent / pattern) for pattern in config.get("rule_files", ())]
    scraped = config["scrape_configs"]
    jobs = [_at(job, watched[job["job_name"]]) if job["job_name"] in watched else job for job in scraped]
    config["scrape_configs"] = [job for job in jobs if job is not None]
    alerting = config.pop("alerting", {})
    senders = [_at(one, sender) for one in alerting.get("alertmanagers", ())]
    if sender is not None and senders:
        config["alerting"] = {**alerting, "alertmanagers": senders}
    return yaml.safe_dump(config, sort_keys=False)


def _at(section: Mapping[str, Any], port: int | None) -> dict[str, Any] | None:
    """A section that looks at `port`; None when there is none to look at."""
    return None if port is None else {**section, "static_configs": [{"targets": [f"{ports.HOST}:{port}"]}]}


def _port(settings: StackSettings, name: str) -> int:
    key = f"{name}_port"
    return ports.choose(name.capitalize(), getattr(settings, key), type(settings).model_fields[key].default)


def _url(port: int) -> str:
    return f"http://{ports.HOST}:{port}"


def _listening(port: int) -> list[str]:
    return [f"--web.listen-address={ports.HOST}:{port}", f"--web.external-url={_url(port)}"]


async def is_ready(port: int) -> bool:
    """True when it answers that it is."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS)) as session,
            session.get(f"{_url(port)}/-/ready") as answer,
        ):
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
