"""Ends the stack's processes when the supervisor dies without doing so. Run as `python -m stack.guardian`.

The supervisor holds the other end of standard input and writes `process id, signal` for every child; the end of
input means it is gone. Lives in a session of its own, so that Ctrl-C does not reach it. Inherits the lock on the
state folder: the next stack cannot start on data that the last one's servers still write.
"""

from __future__ import annotations

import os
import signal
import sys

import psutil

GRACE_SECONDS = 8.0


def main() -> None:
    """Wait for the supervisor's end, then end what it has left."""
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


def end(children: list[tuple[psutil.Process, int]]) -> None:
    """Ask each with its signal, then kill the groups of those that stay."""
    left = [process for process, _ in children if process.is_running()]
    for process, number in children:
        if process in left:
            _signal(process, number)
    _, stubborn = psutil.wait_procs(left, timeout=GRACE_SECONDS)
    for process in stubborn:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
    psutil.wait_procs(stubborn, timeout=GRACE_SECONDS)


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return


if __name__ == "__main__":
    main()
