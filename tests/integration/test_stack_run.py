"""`alpha-panda up` as a process: its end by SIGTERM and by SIGKILL, and what others see meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from faust_app.runtime.settings import PROJECT
from stack.ports import any_free
from stack.state import StateFolder
from stack.targets import targets_file
from tests.running_stack import COMMAND, wait_for

PROMISED = {
    "ticks_published", "ticks_processed", "signals", "signals_denied", "orders", "fills", "dead_letters",
    "duplicates_suppressed", "worker_restarts", "tick_to_order_ms", "lag_end", "pnl", "errors",
}  # fmt: skip
START_SECONDS = 150.0


class Up:
    """One `alpha-panda up` on a state folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.state, self.log, self.summary = folder / "state", folder / "up.log", folder / "summary.json"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ALPHA_PANDA")},
            "ALPHA_PANDA__STACK__STATE_DIRECTORY": str(self.state),
            "ALPHA_PANDA__STACK__SANDBOX_PORT": str(any_free()),
            "ALPHA_PANDA__STACK__WEB_PORT_BASE": str(any_free()),
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "up", "--json", str(self.summary)],
                cwd=folder, env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def wait_until_said(self, text: str) -> None:
        wait_for(lambda: self._has_said(text), f"{text!r} in {self.log}", START_SECONDS)

    def _has_said(self, text: str) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return text in self.log.read_text()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=PROJECT, env=self.environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def family(self) -> list[psutil.Process]:
        """Everything below the supervisor, the guardian too."""
        return psutil.Process(self.process.pid).children(recursive=True)


def alive(family: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended; in a container nobody may be there to collect the dead."""
    found = []
    for one in family:
        try:
            if one.is_running() and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    started = Up(tmp_path)
    yield started
    if started.process.poll() is None:
        started.process.kill()  # the guardian ends the rest
    started.process.wait(30)


@pytest.mark.timeout(300)
def test_sigterm_ends_a_run_in_order_with_its_summary(up: Up) -> None:
    up.wait_until_said("Ready after")
    check_what_others_see(up)
    family = up.family()
    assert len(family) > 7 + 4
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(90) == 0, up.log.read_text()
    assert not alive(family)
    assert json.loads(up.summary.read_text()).keys() >= PROMISED
    assert not (up.state / "runtime.yaml").exists()
    assert not targets_file(up.state).exists(), "workers that were stopped are not down"
    assert "Traceback" not in up.log.read_text()
    names = {file.name for file in (up.state / "logs").iterdir()}
    assert {
        "kafka.log",
        "postgres.log",
        "redis.log",
        "sandbox.log",
        "market_feed.log",
        "risk_manager.paper.log",
    } <= names
    assert up.command("status").returncode == 2
    assert up.command("reset", "--yes").returncode == 0
    assert not up.state.exists()


def check_what_others_see(up: Up) -> None:
    second = up.command("up", "--for", "1s")
    assert second.returncode == 2
    assert second.stderr == f"Another stack runs on {up.state} (process {up.process.pid}): stop it first\n"
    assert up.command("reset", "--yes").returncode == 2
    rows = json.loads(up.command("status", "--json").stdout)
    assert [row["worker"] for row in rows if row["ready"]] == [
        "market_feed", "strategy_runner", "risk_manager.paper", "trading_engine.paper",
        "portfolio_manager.paper", "ledger", "monitor",
    ]  # fmt: skip
    targets = {one["labels"]["worker"]: one["targets"] for one in json.loads(targets_file(up.state).read_text())}
    assert targets == {row["worker"]: [f"127.0.0.1:{row['port']}"] for row in rows}
    secrets = {(up.state / server / "password").read_text() for server in ("postgres", "redis")}
    arguments = " ".join(argument for one in up.family() for argument in one.cmdline())
    assert not [secret for secret in secrets if secret in arguments]


@pytest.mark.timeout(200)
def test_sigkill_of_the_supervisor_leaves_no_process_and_the_state_usable(up: Up) -> None:
    up.wait_until_said("Starting 7 workers")
    wait_for(lambda: len(up.family()) > 11, "the workers")
    family = up.family()
    os.killpg(up.process.pid, signal.SIGKILL)
    up.process.wait()
    folder = StateFolder(up.state)
    folder.acquire()  # the next stack waits until the guardian has ended the last one's processes
    folder.release()
    assert not [one for one in alive(family) if "stack.guardian" not in one.cmdline()]
    assert (up.state / "postgres" / "data" / "PG_VERSION").exists()


def test_start_that_fails_leaves_no_process(tmp_path: Path) -> None:
    """A worker that cannot be started, here for want of a program, ends the run with its reason."""
    code = (
        "import sys\nfrom stack import redis\n"
        "redis.binary = lambda: sys.executable\n"
        "from faust_app.commands.cli import main\nmain(['up', '--for', '1s'])"
    )
    environment = {**os.environ, "ALPHA_PANDA__STACK__STATE_DIRECTORY": str(tmp_path / "state")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("redis ended 6 times in 60 s, last with code 1; its last output was:\n")
    assert "Traceback" not in done.stderr
    left = [one for one in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(one.info["cmdline"] or [])]
    assert not alive(left)
