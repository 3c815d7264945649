from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from stack import supervisor as module
from stack.errors import CannotStay
from stack.process import Command
from stack.state import StateFolder
from stack.supervisor import Service, State, Supervisor

DEADLINE = 30.0
SLEEP = "import time; time.sleep(60)"


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    created = Supervisor(tmp_path / "logs")
    yield created
    await created.stop(*created.services)
    created.close()


def service(
    name: str, code: str, probe: Callable[[], bool] = lambda: True, *arguments: str, ready_seconds: float = 10.0
) -> Service:
    async def asked() -> bool:
        return probe()

    command = Command(name, [sys.executable, "-u", "-c", code, *arguments], grace_seconds=5.0)
    return Service(name, lambda: command, asked, ready_seconds=ready_seconds)


def is_alive(pid: int) -> bool:
    """Not ended; in a container nobody may be there to collect the dead."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.01)


async def test_start_waits_until_every_probe_says_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    mark = tmp_path / "ready"
    code = "import pathlib, sys, time\ntime.sleep(0.2)\npathlib.Path(sys.argv[1]).touch()\ntime.sleep(60)"
    await supervisor.start([service("slow", code, mark.exists, str(mark)), service("quick", SLEEP)])
    assert mark.exists()
    assert {one.state for one in supervisor.services.values()} == {State.READY}


async def test_service_that_never_gets_ready_ends_the_start_with_its_last_lines(supervisor: Supervisor) -> None:
    never = service("mute", "print('waiting for the moon'); " + SLEEP, lambda: False, ready_seconds=1.0)
    with pytest.raises(
        CannotStay, match=r"^mute is not ready after 1 s; its last output was:\n  waiting for the moon$"
    ):
        await supervisor.start([never])


async def test_killed_process_is_started_again_and_gets_ready(supervisor: Supervisor) -> None:
    one = service("worker", SLEEP)
    await supervisor.start([one])
    assert one.process is not None
    first = one.process.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: one.process is not None and one.process.pid not in (0, first) and one.state is State.READY)
    assert one.restarts == 1


async def test_command_is_asked_again_before_every_start(supervisor: Supervisor) -> None:
    asked = 0

    def command() -> Command:
        nonlocal asked
        asked += 1
        return Command("worker", [sys.executable, "-c", SLEEP])

    one = service("worker", SLEEP)
    one.command = command
    await supervisor.start([one])
    assert one.process is not None
    os.kill(one.process.pid, signal.SIGKILL)
    await until(lambda: asked == 2)


async def test_crash_looping_worker_ends_the_run_with_its_last_error(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_BACKOFF_SECONDS", 0.001)
    looping = service("looping", "import sys; print('No such topic'); sys.exit(9)", lambda: False)
    with pytest.raises(CannotStay) as ended:
        await supervisor.start([looping])
    assert str(ended.value).splitlines() == [
        "looping ended 6 times in 60 s, last with code 9; its last output was:",
        "  No such topic",
    ]
    assert looping.restarts == 5


async def test_one_that_is_not_vital_is_started_again_and_again(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(module, "LONGEST_BACKOFF_SECONDS", 0.001)
    looping = service("prometheus", "import time; time.sleep(0.2)")
    looping.is_vital = False
    await supervisor.start([looping])
    await until(lambda: looping.restarts > module.MOST_RESTARTS)
    assert not supervisor._failed.done()


async def test_whoever_starts_one_that_is_not_vital_hears_when_it_is_not_ready(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_BACKOFF_SECONDS", 0.001)
    looping = service("alertmanager", "import sys; print('bad rule'); sys.exit(1)", lambda: False, ready_seconds=2.0)
    looping.is_vital = False
    with pytest.raises(CannotStay, match=r"is not ready after 2 s; its last output was:\n  bad rule"):
        await supervisor.start([looping])
    await supervisor.stop(looping.name)
    absent = service("prometheus", "", lambda: False, ready_seconds=0.5)
    absent.is_vital, absent.command = False, lambda: Command("prometheus", ["/nowhere/prometheus"])
    with pytest.raises(CannotStay, match="is not ready"):
        await supervisor.start([absent])
    await supervisor.start([service("vital", SLEEP)])


async def test_fewer_ends_than_the_limit_are_forgiven(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "FIRST_BACKOFF_SECONDS", 0.001)
    starts = tmp_path / "starts"
    code = (
        "import pathlib, sys, time\nfile = pathlib.Path(sys.argv[1])\n"
        "with file.open('a') as out: out.write('x')\nif len(file.read_text()) > 5: time.sleep(60)"
    )
    recovering = service("recovering", code, lambda: starts.exists() and len(starts.read_text()) > 5, str(starts))
    await supervisor.start([recovering])
    assert recovering.restarts == 5


async def test_ends_that_lie_far_apart_are_forgiven(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr(module, "RESTART_WINDOW_SECONDS", 0.0)
    one = service("ending", "pass")
    one.ready.set()
    await supervisor.start([one])
    await until(lambda: one.restarts > module.MOST_RESTARTS)


async def test_waits_between_restarts_double_up_to_the_longest(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    wait_for = asyncio.wait_for

    async def noted(work: object, timeout: float | None) -> object:
        if timeout is not None and timeout <= module.LONGEST_BACKOFF_SECONDS and timeout not in (1.0,):
            waits.append(timeout)
            timeout = 0.001
        return await wait_for(work, timeout)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "MOST_RESTARTS", 9)
    monkeypatch.setattr(module.asyncio, "wait_for", noted)
    with pytest.raises(CannotStay):
        await supervisor.start([service("looping", "raise SystemExit(1)", lambda: False)])
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


async def test_failure_while_running_reaches_who_waits(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_BACKOFF_SECONDS", 0.001)
    one = service("worker", "raise SystemExit(1)")
    one.ready.set()
    await supervisor.start([one])
    with pytest.raises(CannotStay, match=r"^worker ended 6 times"):
        await supervisor.or_failure(asyncio.sleep(DEADLINE))


async def test_program_that_does_not_exist_is_said_at_once(supervisor: Supervisor, tmp_path: Path) -> None:
    async def probe() -> bool:
        return False

    absent = Service("absent", lambda: Command("absent", [str(tmp_path / "nothing")]), probe)
    with pytest.raises(CannotStay, match=r"^absent cannot be started: .*No such file"):
        await supervisor.start([absent])


async def test_probe_that_raises_ends_the_start(supervisor: Supervisor) -> None:
    def refused() -> bool:
        raise ValueError("the login was refused")

    with pytest.raises(CannotStay, match=r"^exchange cannot be used: the login was refused"):
        await supervisor.start([service("exchange", SLEEP, refused)])


async def test_stopped_service_stays_down(supervisor: Supervisor) -> None:
    one = service("worker", SLEEP)
    await supervisor.start([one])
    assert one.process is not None
    pid = one.process.pid
    await supervisor.stop("worker", "unknown")
    assert one.state is State.STOPPED
    assert one.restarts == 0
    assert not is_alive(pid)


async def test_stop_during_the_wait_for_a_restart_is_quick_and_final(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_BACKOFF_SECONDS", 3 * DEADLINE)
    one = service("worker", SLEEP)
    await supervisor.start([one])
    assert one.process is not None
    os.kill(one.process.pid, signal.SIGKILL)
    await until(lambda: one.state is State.RESTARTING)
    async with asyncio.timeout(DEADLINE):
        await supervisor.stop("worker")
    assert not one.process.is_running


async def test_stop_while_a_process_is_being_started_leaves_nothing(supervisor: Supervisor) -> None:
    for turns in range(6):
        one = service(f"worker{turns}", SLEEP, lambda: False)
        starting = asyncio.create_task(supervisor.start([one]))
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(DEADLINE):
            await supervisor.stop(one.name)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
    assert [one for one in psutil.Process().children() if SLEEP in one.cmdline()] == []


async def test_close_ends_what_was_never_stopped(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "logs")
    one = service("worker", SLEEP)
    await supervisor.start([one])
    supervisor.close()
    assert one.process is not None
    pid = one.process.pid
    await until(lambda: not is_alive(pid))
    await supervisor.stop("worker")


SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from stack.process import Command
from stack.state import StateFolder
from stack.supervisor import Service, Supervisor

CHILD = '''
import pathlib, signal, sys, time
def end(*_):
    time.sleep(0.7)
    sys.exit()
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
'''

def service(name, mark):
    async def ready():
        return mark.exists()
    return Service(name, lambda: Command(name, [sys.executable, "-c", CHILD, str(mark)]), ready)

async def main():
    state = StateFolder(Path(sys.argv[1]))
    state.acquire()
    supervisor = Supervisor(state.path / "logs", state.lock)
    await supervisor.start([service(name, state.path / f"{name}.mark") for name in ("one", "two")])
    print(*(one.process.pid for one in supervisor.services.values()), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_sigkill_of_the_supervisor_leaves_no_child_and_nobody_starts_before(tmp_path: Path) -> None:
    """As a terminal or a container does it: the whole group. The guardian is outside and has the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path)], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        pids = [int(word) for word in process.stdout.readline().split()]
        assert len(pids) == 2
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        folder = StateFolder(tmp_path)
        folder.acquire()  # waits for the guardian
        folder.release()
    assert not [pid for pid in pids if is_alive(pid)]
