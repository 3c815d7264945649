"""Keeps processes up: readiness, restart with backoff, an end to restarting, ordered shutdown, no orphan."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from stack import guardian
from stack.errors import CannotStay
from stack.process import Command, Process

FIRST_BACKOFF_SECONDS = 0.2
LONGEST_BACKOFF_SECONDS = 5.0
STEADY_SECONDS = 30.0
MOST_RESTARTS = 6
RESTART_WINDOW_SECONDS = 60.0
PROBE_SECONDS = 0.05

Probe = Callable[[], Awaitable[bool]]


class State(StrEnum):
    """Where a service stands."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass
class Service:
    """A process to keep up. `command` is asked before every start; `probe` tells when it is ready.

    One that is not vital never ends the run, it is started again and again; who starts it hears when it is not ready.
    """

    name: str
    command: Callable[[], Command]
    probe: Probe
    on_line: Callable[[str], bool] | None = None
    ready_seconds: float = 60.0
    is_vital: bool = True
    state: State = State.STARTING
    restarts: int = 0
    process: Process | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    unwanted: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Starts services in the order asked and stops them in the reverse one."""

    def __init__(self, logs: Path, lock: int | None = None) -> None:
        """`lock` is a file handle that stays open until everything has ended, also after our own death."""
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self.services: dict[str, Service] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._mark = uuid.uuid4().hex
        self._guardian = subprocess.Popen(
            [sys.executable, "-m", "stack.guardian", self._mark],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
            pass_fds=() if lock is None else (lock,),
        )

    async def start(self, services: Iterable[Service]) -> None:
        """Start side by side and wait until each is ready. Raises CannotStay."""
        started = list(services)
        for service in started:
            self.services[service.name] = service
            self._keepers[service.name] = asyncio.create_task(self._keep(service), name=service.name)
        waiting = asyncio.gather(*(self._until_ready(service) for service in started))
        try:
            await self.or_failure(waiting)
        finally:
            waiting.cancel()

    async def _until_ready(self, service: Service) -> None:
        try:
            await asyncio.wait_for(service.ready.wait(), service.ready_seconds)
        except TimeoutError:
            lines = service.process.last_lines if service.process is not None else []
            reason = f"is not ready after {service.ready_seconds:.0f} s"
            raise CannotStay(service.name, reason, lines) from None

    async def or_failure(self, work: Awaitable[Any]) -> None:
        """Wait for `work`, or raise what made a service fail for good."""
        task: asyncio.Future[Any] = asyncio.ensure_future(work)
        await asyncio.wait({task, self._failed}, return_when=asyncio.FIRST_COMPLETED)
        if self._failed.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
            self._failed.result()
        await task

    async def _keep(self, service: Service) -> None:
        ended: deque[float] = deque()
        backoff = FIRST_BACKOFF_SECONDS
        while not service.unwanted.is_set():
            started = time.monotonic()
            command = service.command()
            marked = replace(command, environment={**command.environment, guardian.MARK: self._mark})
            process = service.process = Process(marked, self._logs, service.on_line)
            try:
                await process.start()
            except OSError as error:
                self._fail(service, CannotStay(service.name, f"cannot be started: {error}", []))
                return
            self._tell_guardian(process.pid, int(process.command.stop_signal))
            if service.unwanted.is_set():  # told to stop while it was being started
                await process.stop()
            watching = asyncio.create_task(self._watch(service, process))
            code = await process.wait()
            watching.cancel()
            self._tell_guardian(process.pid, 0)
            if service.unwanted.is_set():
                break
            now = time.monotonic()
            ended.append(now)
            while ended and now - ended[0] > RESTART_WINDOW_SECONDS:
                ended.popleft()
            if service.is_vital and len(ended) >= MOST_RESTARTS:
                reason = f"ended {len(ended)} times in {RESTART_WINDOW_SECONDS:.0f} s, last with code {code}"
                self._fail(service, CannotStay(service.name, reason, process.last_lines))
                return
            service.state, service.restarts = State.RESTARTING, service.restarts + 1
            backoff = FIRST_BACKOFF_SECONDS if now - started > STEADY_SECONDS else backoff
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(service.unwanted.wait(), backoff)
            backoff = min(LONGEST_BACKOFF_SECONDS, backoff * 2)
        service.state = State.STOPPED

    def _fail(self, service: Service, error: CannotStay) -> None:
        if service.is_vital and not self._failed.done():
            self._failed.set_exception(error)

    async def _watch(self, service: Service, process: Process) -> None:
        """Ready as soon as the probe says so, for this process."""
        try:
            while not await service.probe():
                await asyncio.sleep(PROBE_SECONDS)
        except Exception as error:
            self._fail(service, CannotStay(service.name, f"cannot be used: {error}", process.last_lines))
            return
        if process.is_running:
            service.state = State.READY
            service.ready.set()

    def _tell_guardian(self, pid: int, number: int) -> None:
        if self._guardian.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._guardian.stdin.write(f"{pid} {number}\n")
                self._guardian.stdin.flush()

    async def stop(self, *names: str) -> None:
        """Stop services side by side; unknown names are ignored."""
        chosen = [self.services[name] for name in names if name in self.services]
        for service in chosen:
            service.unwanted.set()
        await asyncio.gather(*(self._stop(service) for service in chosen))

    async def _stop(self, service: Service) -> None:
        keeper = self._keepers.pop(service.name, None)
        if service.process is not None:
            await service.process.stop()
        if keeper is not None:
            await asyncio.gather(keeper, return_exceptions=True)
        service.state = State.STOPPED

    def close(self) -> None:
        """Let the guardian go; what still runs ends with it."""
        if self._guardian.stdin is not None:
            self._guardian.stdin.close()
        self._guardian.wait()
        if self._failed.done():
            self._failed.exception()
