"""On a worker's path (`PYTHONPATH`): switches its metrics and logs off and on in turns, and writes the CPU of each.

A turn lasts `TURN_SECONDS` of the wall clock, so that all workers have theirs at the same time; on, off, off, on.
A line of `<folder>/<pid>`: number of the turn, CPU seconds of the process in it.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import prometheus_client
from prometheus_client import Counter, Gauge, Histogram

TURN_SECONDS = 2.0
Switch = tuple[type, str, Callable[..., Any], Callable[..., Any]]
"""A class, its method's name, what that is, and what it is while off."""
METHODS: tuple[tuple[type, tuple[str, ...]], ...] = (
    (Counter, ("inc",)),
    (Gauge, ("inc", "dec", "set")),
    (Histogram, ("observe",)),
)
_page = prometheus_client.generate_latest
_last: list[bytes] = [b""]
_on = threading.Event()
_on.set()


def turn_is_on(number: int) -> bool:
    """Whether metrics and logs work in a turn."""
    return number % 4 in (0, 3)


def _nothing(*_: Any, **__: Any) -> None:
    return


def _page_in_turns(*arguments: Any, **named: Any) -> bytes:
    if _on.is_set():
        _last[0] = _page(*arguments, **named)
    return _last[0]


def _switches() -> list[Switch]:
    """Of Faust's sensor its plain monitor remains."""
    found: list[Switch] = [(kind, name, getattr(kind, name), _nothing) for kind, names in METHODS for name in names]
    sensors = sys.modules.get("faust.sensors.prometheus")
    if sensors is not None:
        kind, plain = sensors.PrometheusMonitor, sensors.Monitor
        found += [(kind, name, getattr(kind, name), getattr(plain, name)) for name in vars(kind) if name[:3] == "on_"]
    return found


def _take_turns(folder: Path) -> None:
    number = int(time.time() / TURN_SECONDS) + 5  # the worker is up by then
    time.sleep(number * TURN_SECONDS - time.time())
    switches = _switches()
    with (folder / str(os.getpid())).open("w", buffering=1) as out:
        while True:
            is_on = turn_is_on(number)
            (_on.set if is_on else _on.clear)()
            for kind, name, on, off in switches:
                setattr(kind, name, on if is_on else off)
            logging.disable(logging.NOTSET if is_on else logging.CRITICAL)
            began, number = time.process_time(), number + 1
            time.sleep(max(0.0, number * TURN_SECONDS - time.time()))
            out.write(f"{number - 1} {time.process_time() - began:.6f}\n")


def _is_worker() -> bool:
    return b"\0worker\0" in Path("/proc/self/cmdline").read_bytes()  # `sys.argv` is not there yet


if "ALPHA_PANDA_TURNS" in os.environ and _is_worker():
    prometheus_client.generate_latest = _page_in_turns
    threading.Thread(target=_take_turns, args=(Path(os.environ["ALPHA_PANDA_TURNS"]),), daemon=True).start()
