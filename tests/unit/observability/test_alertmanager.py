"""Alerts reach whom the settings name, by severity; what follows from another fault does not; secrets stay private."""

from __future__ import annotations

import asyncio
import contextlib
import stat
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from typer.testing import CliRunner

from faust_app.commands.cli import build
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.sections import AlertingSettings
from faust_app.runtime.settings import load_settings
from stack.alertmanager import SOURCE, launch, rendered, told, write
from stack.ports import any_free
from tests.promtools import required
from tests.unit.observability.mailbox import Mailbox, mailbox
from tests.unit.observability.rule_files import alerts, checks

TOKEN, PASSWORD = "123456:telegram-token", "mail-password"
ROUTES = [
    (("alertname=NoTicks", "severity=critical", "broker=shared"), "critical"),
    (("alertname=LagGrowing", "severity=warning", "broker=paper"), "warning"),
    (("alertname=Anything", "severity=info"), "visible"),
    (("alertname=Anything",), "visible"),
    (("alertname=Watchdog", "severity=info"), "heartbeat"),
]


@pytest.fixture
def settings(tmp_path: Path) -> AlertingSettings:
    """Every way to tell people."""
    return all_ways(tmp_path, mail="mail.example.com:587", heartbeat="https://beat.example.com/1", tls=True)


def all_ways(folder: Path, *, mail: str, heartbeat: str, tls: bool) -> AlertingSettings:
    """Settings with every way, their secrets in files of `folder`."""
    for name, text in (("token", TOKEN), ("password", PASSWORD), ("heartbeat", heartbeat)):
        (folder / name).write_text(text + "\n")
    return AlertingSettings(
        telegram_chat_id=-1001,
        telegram_token_file=folder / "token",
        email_to="trader@example.com",
        email_from="panda@example.com",
        email_server=mail,
        email_user="panda",
        email_password_file=folder / "password",
        email_tls=tls,
        heartbeat_url_file=folder / "heartbeat",
    )


def amtool(*arguments: object) -> str:
    """Its output; the test fails with it when it fails."""
    command = [required("amtool"), *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("is_set", [False, True])
def test_alertmanager_takes_the_configuration(settings: AlertingSettings, tmp_path: Path, is_set: bool) -> None:
    write(settings if is_set else AlertingSettings.model_validate({}), file := tmp_path / "alertmanager.yml")
    assert "1 templates" in amtool("check-config", file)


def test_alertmanager_takes_the_projects_own_file() -> None:
    assert "4 receivers" in amtool("check-config", SOURCE)


@pytest.mark.parametrize(("labels", "receiver"), ROUTES, ids=lambda value: value if isinstance(value, str) else "")
def test_severity_decides_who_is_told(labels: tuple[str, ...], receiver: str) -> None:
    assert amtool("config", "routes", "test", f"--config.file={SOURCE}", *labels).strip() == receiver


def test_critical_alerts_go_to_telegram_and_by_mail_and_warnings_by_mail(settings: AlertingSettings) -> None:
    receivers = {one["name"]: one.keys() - {"name"} for one in yaml.safe_load(rendered(settings))["receivers"]}
    assert receivers == {
        "critical": {"telegram_configs", "email_configs"},
        "warning": {"email_configs"},
        "heartbeat": {"webhook_configs"},
        "visible": set(),
    }


def test_nobody_is_told_by_default() -> None:
    nobody = AlertingSettings.model_validate({})
    assert all(one.keys() == {"name"} for one in yaml.safe_load(rendered(nobody))["receivers"])
    assert "sent to nobody" in told(nobody)[0]


def test_only_its_owner_can_read_the_file(settings: AlertingSettings, tmp_path: Path) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text("of an earlier run")
    file.chmod(0o644)
    write(settings, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert TOKEN in file.read_text()


def test_a_file_that_cannot_be_written_is_one_sentence_and_leaves_no_secret(
    settings: AlertingSettings, tmp_path: Path
) -> None:
    (taken := tmp_path / "out" / "taken").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="taken cannot be written: Is a directory"):
        write(settings, taken)
    assert list(taken.parent.iterdir()) == [taken]


@pytest.mark.parametrize("name", ["telegram_token_file", "email_password_file", "heartbeat_url_file"])
def test_a_secret_that_cannot_be_read_is_one_sentence(settings: AlertingSettings, name: str, tmp_path: Path) -> None:
    missing, empty = tmp_path / "missing", tmp_path / "empty"
    empty.write_text("\n")
    with pytest.raises(ConfigurationError, match=rf"alerting\.{name} .*missing: No such file"):
        rendered(settings.model_copy(update={name: missing}))
    with pytest.raises(ConfigurationError, match=rf"alerting\.{name} .*empty is empty"):
        rendered(settings.model_copy(update={name: empty}))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"TELEGRAM_CHAT_ID": "1"}, "telegram_chat_id and telegram_token_file belong together"),
        ({"TELEGRAM_TOKEN_FILE": "x"}, "telegram_chat_id and telegram_token_file belong together"),
        ({"EMAIL_TO": "a@b.c"}, "email_to needs email_from and email_server"),
        ({"EMAIL_USER": "a"}, "email_user and email_password_file belong together"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    given: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"ALPHA_PANDA__ALERTING__{name}", value)
    with pytest.raises(ConfigurationError, match=sentence):
        load_settings("base")


def test_the_command_writes_the_file_and_says_who_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHA_PANDA__ALERTING__EMAIL_TO", "trader@example.com")
    monkeypatch.setenv("ALPHA_PANDA__ALERTING__EMAIL_FROM", "panda@example.com")
    monkeypatch.setenv("ALPHA_PANDA__ALERTING__EMAIL_SERVER", "mail.example.com:587")
    file = tmp_path / "new" / "alertmanager.yml"
    done = CliRunner().invoke(build(), ["alertmanager", str(file)])
    assert done.output == "Critical alerts and warnings go to trader@example.com\n"
    assert "trader@example.com" in file.read_text()


def test_inhibitions_are_of_alerts_that_exist_and_share_the_labels_compared() -> None:
    labels: dict[str, set[str]] = {name: set() for name in alerts()}
    for one in checks():
        labels[one.alert].update(*(alert["exp_labels"] for alert in one.expected))
    for rule in yaml.safe_load(SOURCE.read_text())["inhibit_rules"]:
        for matchers in (rule["source_matchers"], rule["target_matchers"]):
            for name in names_in(matchers[0]):
                assert labels[name] >= set(rule.get("equal", ())), (rule, name)


def names_in(matcher: str) -> list[str]:
    """Alerts a matcher of `alertname` names."""
    return matcher.partition('"')[2].rstrip('"').split("|")


@contextlib.asynccontextmanager
async def running(folder: Path, box: Mailbox) -> AsyncIterator[str]:
    """A real Alertmanager that tells `box`, at once; its address."""
    ways = all_ways(
        folder, mail=f"127.0.0.1:{box.mail_port}", heartbeat=f"http://127.0.0.1:{box.web_port}/heartbeat", tls=False
    )
    config: dict[str, Any] = yaml.safe_load(rendered(ways))
    critical = next(one for one in config["receivers"] if one["name"] == "critical")
    critical["telegram_configs"][0]["api_url"] = f"http://127.0.0.1:{box.web_port}"
    for route in (config["route"], *config["route"]["routes"]):
        route["group_wait"] = "1s"
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{any_free()}"
    arguments = [f"--config.file={file}", f"--storage.path={folder}", f"--web.listen-address={address}"]
    process = await asyncio.create_subprocess_exec(
        *launch(program()), *arguments, "--cluster.listen-address=", stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield f"http://{address}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def program() -> Path:
    """Alertmanager, also by Debian's name for it."""
    try:
        return required("alertmanager")
    except pytest.skip.Exception:
        return required("prometheus-alertmanager")


async def post(session: aiohttp.ClientSession, address: str, *found: dict[str, str]) -> None:
    """Give it alerts with these labels, as soon as it answers."""
    summary = {"summary": "A summary.", "description": "More.", "runbook_url": "docs/runbooks/orders.md#orderunknown"}
    body = [{"labels": labels, "annotations": summary} for labels in found]
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with session.post(f"{address}/api/v2/alerts", json=body) as answer:
                    assert answer.status == 200, await answer.text()
                    return
            await asyncio.sleep(0.1)


async def test_people_are_told_and_consequences_are_not(tmp_path: Path) -> None:
    down = {"alertname": "WorkerDown", "severity": "critical", "broker": "paper", "worker": "ledger"}
    lag = {"alertname": "LagGrowing", "severity": "warning", "broker": "paper", "worker": "ledger"}
    other = {"alertname": "LagGrowing", "severity": "warning", "broker": "zerodha", "worker": "risk_manager.zerodha"}
    watchdog = {"alertname": "Watchdog", "severity": "info", "broker": "shared"}
    program()
    async with mailbox() as box, running(tmp_path, box) as address, aiohttp.ClientSession() as session:
        await post(session, address, down, lag, other, watchdog)
        await box.until(lambda: len(box.mails) == 2 and bool(box.messages) and bool(box.heartbeats))
        async with session.get(f"{address}/api/v2/alerts?inhibited=true&silenced=false&active=false") as answer:
            inhibited = [one["labels"] for one in await answer.json()]
    assert inhibited == [lag]
    message = box.messages[0]
    assert message["path"] == f"/bot{TOKEN}/sendMessage"
    assert message["chat_id"] == "-1001"
    assert message["text"].splitlines()[0] == "CRITICAL: WorkerDown (paper)"
    assert "What to do: docs/runbooks/orders.md#orderunknown" in message["text"]
    assert sorted(line for mail in box.mails for line in mail.splitlines() if line.startswith("Subject")) == [
        "Subject: CRITICAL: WorkerDown (paper)",
        "Subject: WARNING: LagGrowing (zerodha)",
    ]
    assert box.password == PASSWORD
