"""Ends the stack's processes when the supervisor dies without doing so. Run as `python -m stack.guardian`.

The supervisor holds the other end of standard input and writes `process id, signal` for every child; the end of
input means it is gone. A child started in the supervisor's last moment was not announced: every child carries the
mark of its stack in its environment, and the guardian ends who still has it. Lives in a session of its own, so that
Ctrl-C does not reach it. Inherits the lock on the state folder: the next stack cannot start on data that the last
one's servers still write.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

import psutil

MARK = "ALPHA_PANDA_STACK_MARK"
GRACE_SECONDS = 8.0
POLL_SECONDS = 0.05


def main() -> None:
    """Wait for the supervisor's end, then end what it has left. The argument is the mark of its children."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children: dict[int, tuple[psutil.Process, int]] = {}
    for line in sys.stdin:
        pid, number = map(int, line.split())
        if number == 0:
            children.pop(pid, None)
            continue
        try:
            children[pid] = (psutil.Process(pid), number)
        except psutil.NoSuchProcess:
            continue
    end([*children.values()])
    end_marked(sys.argv[1])


def end(children: list[tuple[psutil.Process, int]]) -> None:
    """Ask each with its signal, then kill the groups of those that stay."""
    for process, number in children:
        _signal(process, number)
    stubborn = _still_alive([process for process, _ in children])
    for process in stubborn:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    _still_alive(stubborn)


def end_marked(mark: str) -> None:
    """Kill every process that carries the mark, until there is none."""
    while marked := [one for one in psutil.process_iter() if _is_alive(one) and _mark_of(one) == mark]:
        for process in marked:
            _signal(process, signal.SIGKILL)
        _still_alive(marked)


def _mark_of(process: psutil.Process) -> str | None:
    """Mark in the environment the process was started with; None when it is somebody else's or has ended."""
    try:
        mark: str | None = process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None
    return mark


def _still_alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended within the grace time."""
    deadline = time.monotonic() + GRACE_SECONDS
    while (alive := [one for one in processes if _is_alive(one)]) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return alive


def _is_alive(process: psutil.Process) -> bool:
    """Not ended; in a container nobody may be there to collect the dead."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return


if __name__ == "__main__":
    main()
