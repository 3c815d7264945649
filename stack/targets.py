"""Tells Prometheus where the workers' pages are: a file of targets it looks at by itself, ours or somebody else's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from faust_app.runtime.topics import SHARED
from stack.files import write_json
from stack.plan import Planned
from stack.ports import HOST

FOLDER = "prometheus"  # of the state folder
TARGETS = Path("targets", "workers.json")  # below it


def targets_file(state: Path) -> Path:
    """Where it is."""
    return state / FOLDER / TARGETS


def write_targets(state: Path, workers: Iterable[Planned]) -> None:
    """Replace the file at once: Prometheus may read it at any time."""
    groups = [
        {
            "targets": [f"{HOST}:{one.port}"],
            "labels": {"stage": one.stage, "broker": one.broker or SHARED, "worker": one.name},
        }
        for one in workers
    ]
    file = targets_file(state)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, groups)


def forget_targets(state: Path) -> None:
    """The run is over: workers that were stopped are not down. A run that dies leaves the file, and they are."""
    targets_file(state).unlink(missing_ok=True)
