from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from stack import guardian

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
POLITE = "import signal, sys, time; signal.signal(signal.SIGINT, lambda *_: sys.exit(4)); print(1, flush=True); time.sleep(60)"  # noqa: E501


def child(code: str, **environment: str) -> subprocess.Popen[bytes]:
    started = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, **environment},
    )
    assert started.stdout is not None
    assert started.stdout.readline() == b"1\n"
    started.stdout.close()
    return started


def test_each_gets_its_own_signal_first_and_the_stubborn_are_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guardian, "GRACE_SECONDS", 0.5)
    polite, stubborn = child(POLITE), child(STUBBORN)
    guardian.end([(psutil.Process(polite.pid), signal.SIGINT), (psutil.Process(stubborn.pid), signal.SIGTERM)])
    assert polite.wait(5) == 4
    assert stubborn.wait(5) == -signal.SIGKILL


def test_reused_process_id_is_left_alone() -> None:
    """What psutil remembers is the process, not its number."""
    ended, bystander = child(POLITE), child(STUBBORN)
    remembered = psutil.Process(ended.pid)
    ended.kill()
    ended.wait()
    remembered._pid = bystander.pid  # as the system would hand the number out again
    remembered._gone = False
    guardian.end([(remembered, signal.SIGKILL)])
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def guardian_process() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "stack.guardian", "mine"], stdin=subprocess.PIPE, text=True, start_new_session=True
    )


def test_end_of_input_ends_the_announced_but_not_those_that_were_taken_back() -> None:
    announced, taken_back = child(POLITE), child(POLITE)
    process = guardian_process()
    process.communicate(
        f"{announced.pid} {signal.SIGINT}\n{taken_back.pid} {signal.SIGINT}\n{taken_back.pid} 0\n999999999 15\n"
    )
    assert process.returncode == 0
    assert announced.wait(5) == 4
    assert taken_back.poll() is None
    taken_back.kill()
    taken_back.wait()


def test_end_of_input_ends_those_with_the_mark_that_nobody_announced() -> None:
    """The supervisor may die between a child's start and its announcement."""
    unannounced, of_another = child(STUBBORN, **{guardian.MARK: "mine"}), child(STUBBORN, **{guardian.MARK: "other"})
    process = guardian_process()
    process.communicate("")
    assert process.returncode == 0
    assert unannounced.wait(5) == -signal.SIGKILL
    assert of_another.poll() is None
    of_another.kill()
    of_another.wait()
