"""The whole stack as a user starts it, with what tests ask of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition

from faust_app.runtime.settings import PROJECT, Settings, load_settings
from faust_app.runtime.topology import topic_specs
from stack.ports import any_free
from stack.scrape import Samples, parse
from stack.targets import targets_file

Result = TypeVar("Result")
PartitionLogs = dict[int, list[Any]]
"""Messages of a topic by partition, in the order of their offsets."""
COMMAND = [sys.executable, "-m", "faust_app.commands.cli"]
START_SECONDS = 170.0
GARBAGE_KEY = b"garbage"


def wait_for(condition: Callable[[], Result], what: str, seconds: float = 30.0) -> Result:
    """The first true result of `condition`; AssertionError, naming `what`, when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(0.1)  # between two looks at another process
    return found


WIDE_LIMITS = {  # limits that never bind
    "ALPHA_PANDA__RISK__MAX_GROSS_EXPOSURE": "1000000000000",
    "ALPHA_PANDA__RISK__MAX_DAILY_LOSS": "1000000000000",
    "ALPHA_PANDA__RISK__MAX_DAILY_TRADES": "100000000",
    "ALPHA_PANDA__RISK__MAX_OPEN_ORDERS": "1000000",
    "ALPHA_PANDA__RISK__MAX_ORDER_RATE": "1000000",
    "ALPHA_PANDA__RISK__MAX_DRAWDOWN_PERCENT": "100",
    "ALPHA_PANDA__RISK__EQUITY_MARGIN_PERCENT": "0.0001",
}


def own_ports() -> dict[str, str]:
    """Settings with free ports: several stacks may run on this machine."""
    return {
        "ALPHA_PANDA__KAFKA__BOOTSTRAP": f"127.0.0.1:{any_free()}",
        "ALPHA_PANDA__POSTGRES__PORT": str(any_free()),
        "ALPHA_PANDA__REDIS__PORT": str(any_free()),
        "ALPHA_PANDA__STACK__SANDBOX_PORT": str(any_free()),
        "ALPHA_PANDA__STACK__WEB_PORT_BASE": str(any_free()),
        "ALPHA_PANDA__STACK__PROMETHEUS_PORT": str(any_free()),
        "ALPHA_PANDA__STACK__ALERTMANAGER_PORT": str(any_free()),
    }


class RunningStack:
    """`alpha-panda up` as a child process on a state folder of its own."""

    options: tuple[str, ...] = ()  # of the command

    def __init__(self, folder: Path, profile: str, **variables: str) -> None:
        self.state = folder / "state"
        self.output = folder / "up.log"
        self.summary_file = folder / "summary.json"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ALPHA_PANDA")},
            "ALPHA_PANDA_PROFILE": profile,
            "ALPHA_PANDA__STACK__STATE_DIRECTORY": str(self.state),
            **own_ports(),
            **variables,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._read: dict[str, PartitionLogs] = {}

    def start(self) -> None:
        """Start, and wait until every worker is ready."""
        arguments = [*COMMAND, "up", "--no-view", "--json", str(self.summary_file), *self.options]
        with self.output.open("wb") as log:
            self._process = subprocess.Popen(
                arguments, cwd=PROJECT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        wait_for(self._is_up, f"the start (see {self.output})", START_SECONDS)

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.output.read_text()
        return "Ready after" in self.output.read_text()

    def stop(self) -> dict[str, Any]:
        """Stop as Ctrl-C does; the summary."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        code = self._process.wait(90)
        assert code == 0, self.output.read_text()
        summary: dict[str, Any] = json.loads(self.summary_file.read_text())
        return summary

    def kill(self) -> None:
        """End it without ceremony, when something went wrong."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(30)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """While it runs; it has to start, and to stop cleanly at the end."""
        try:
            self.start()
            yield
            self.stop()
        finally:
            self.kill()

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        assert self._process is not None
        return self._process.pid

    def children(self) -> list[psutil.Process]:
        """All processes below the supervisor."""
        return psutil.Process(self.pid).children(recursive=True)

    def settings(self) -> Settings:
        """Its settings, as its own commands see them."""
        with changed_environment(self.environment):
            return load_settings()

    @property
    def terminal(self) -> dict[str, str]:
        """The environment of another terminal, in which nobody has set what the stack was started with."""
        kept = "ALPHA_PANDA__STACK__STATE_DIRECTORY"
        return {
            name: value
            for name, value in self.environment.items()
            if name == kept or not name.startswith("ALPHA_PANDA")
        }

    def command(self, *arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run an `alpha-panda` command against it in another terminal; checks the exit code, but with None."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=PROJECT, env=self.terminal, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert code in (done.returncode, None), f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str) -> Any:
        """The JSON a command prints."""
        return json.loads(self.command(*arguments, "--json").stdout)

    def workers(self) -> dict[str, dict[str, Any]]:
        """Status rows by worker."""
        return {row["worker"]: row for row in self.json("status")}

    def ports(self) -> dict[str, int]:
        """Where each worker's pages are; cheaper than asking for its status."""
        targets = json.loads(targets_file(self.state).read_text())
        return {one["labels"]["worker"]: int(one["targets"][0].rpartition(":")[2]) for one in targets}

    def is_ready(self, worker: str) -> bool:
        """Whether a worker is, in its own words."""
        return not reasons(self.ports()[worker])

    def all_ready(self) -> bool:
        """Whether every worker is."""
        return not any(map(reasons, self.ports().values()))

    def worker_pid(self, worker: str) -> int | None:
        """Process id of a worker that runs."""
        stage, _, broker = worker.partition(".")
        wanted = ["worker", stage, *(["--broker", broker] if broker else [])]
        for child in self.children():
            with contextlib.suppress(psutil.Error):
                if child.cmdline()[-len(wanted) :] == wanted:
                    return child.pid
        return None

    def messages(self, topic: str) -> list[Any]:
        """Everything in a topic now, by partition and offset; what has been read before is not read again."""
        log = self._read.setdefault(topic, {})
        run(read_topic(self.settings(), topic, log))
        return [message for partition in sorted(log) for message in log[partition]]

    def envelopes(self, topic: str) -> list[dict[str, Any]]:
        """Decoded JSON envelopes of a topic, without what a test has put there under the key `garbage`."""
        return [msgspec.json.decode(one.value) for one in self.messages(topic) if one.key != GARBAGE_KEY]


def metrics(port: int) -> Samples:
    """A worker's metrics; empty while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
            return parse(answer.read().decode())
    except (urllib.error.URLError, OSError):
        return {}


def reasons(port: int) -> dict[str, str]:
    """Why a worker is not ready; empty when it is."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            body = json.load(answer)
    except urllib.error.HTTPError as error:
        body = json.load(error)
    except OSError as error:
        return {"page": str(error)}
    return dict(body["reasons"])


def total(samples: Samples, name: str) -> float:
    """Sum over all samples called `name`, without our prefix."""
    return sum(value for (found, _), value in samples.items() if found == f"alpha_panda_{name}")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine from a test that is not one."""
    return asyncio.run(work)


@contextlib.contextmanager
def changed_environment(environment: dict[str, str]) -> Iterator[None]:
    """Let this process see the stack's variables for a moment."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


async def read_topic(settings: Settings, topic: str, log: PartitionLogs) -> None:
    """Bring what has been read of a topic, by partition, to its ends of now."""
    count = next(spec.partitions for spec in topic_specs(settings) if spec.name == topic)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(count)]
        consumer.assign(partitions)
        begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        for tp in partitions:
            known = log.setdefault(tp.partition, [])
            consumer.seek(tp, known[-1].offset + 1 if known else begins[tp])
        while behind := [tp for tp in partitions if await consumer.position(tp) < ends[tp]]:
            for tp, batch in (await consumer.getmany(*behind, timeout_ms=200)).items():
                log[tp.partition].extend(batch)
    finally:
        await consumer.stop()
