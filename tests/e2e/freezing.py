"""Freezes a dependency or a worker of a running stack: it keeps its connections and answers nothing."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.running_stack import RunningStack

MARKS = {
    "kafka": "kafka.Kafka",
    "postgres": "bin/postgres",
    "redis": "redis-server",
    "alertmanager": "alertmanager.yml",
    "exchange": "faust_app.commands.cli sandbox",
}


@contextmanager
def frozen(stack: RunningStack, name: str) -> Iterator[None]:
    """Stop every process of a dependency, or a worker, for a while."""
    mark = MARKS.get(name, f"worker {name.replace('.', ' --broker ')}")
    family = [child for child in stack.children() if mark in " ".join(child.cmdline())]
    family += [below for child in family for below in child.children(recursive=True) if below not in family]
    assert family, f"no process of {name} found"
    for child in family:
        child.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for child in family:
            try:
                child.send_signal(signal.SIGCONT)
            except psutil.NoSuchProcess:  # its supervisor may have replaced it
                continue
