"""Workers: one that keeps restarting, or does not answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from faust_app.runtime.notices import Notice, NoticeKind

MOST_STARTS = 3
WINDOW_SECONDS = 600.0
SILENT_SECONDS = 30.0
WELL, FLAPPING, SILENT = "well", "flapping", "silent"


@dataclass
class _Worker:
    started: float
    answered: float
    starts: deque[float] = field(default_factory=deque)
    state: str = WELL


class WorkersWatch:
    """Hears of each look at a worker's page; a worker that never answered is not known."""

    def __init__(self) -> None:
        self._workers: dict[str, _Worker] = {}

    def answered(self, name: str, started: float, now: float) -> None:
        """The worker's page was read; `started` is when its process began."""
        worker = self._workers.setdefault(name, _Worker(started, now))
        if worker.started != started:
            worker.started = started
            worker.starts.append(now)
        worker.answered = now

    def forget(self, names: set[str]) -> None:
        """Keep only the workers of these names: the others belong to the stack no more."""
        self._workers = {name: worker for name, worker in self._workers.items() if name in names}

    def due(self, now: float, *, is_last: bool = False) -> Iterator[Notice]:
        """A notice when a worker is no longer well, and when it is again; none while everything stops."""
        if is_last:
            return
        for name, worker in self._workers.items():
            while worker.starts and now - worker.starts[0] > WINDOW_SECONDS:
                worker.starts.popleft()
            state = _state(worker, now)
            if state == worker.state:
                continue
            worker.state = state
            yield _notice(name, worker, now)


def _state(worker: _Worker, now: float) -> str:
    if now - worker.answered >= SILENT_SECONDS:
        return SILENT
    is_flapping = len(worker.starts) >= MOST_STARTS or (worker.state == FLAPPING and bool(worker.starts))
    return FLAPPING if is_flapping else WELL


def _notice(name: str, worker: _Worker, now: float) -> Notice:
    titles = {
        WELL: f"{name} is well again",
        FLAPPING: f"{name} has restarted {len(worker.starts)} times in {WINDOW_SECONDS / 60:.0f} minutes",
        SILENT: f"{name} has not answered for {now - worker.answered:.0f} s",
    }
    advice = (
        "" if worker.state == WELL else "alpha-panda status, and the worker's log; docs/runbooks/dependency-away.md"
    )
    return Notice(
        kind=NoticeKind.WORKERS, subject=name, title=titles[worker.state], advice=advice, at=now, state=worker.state
    )
