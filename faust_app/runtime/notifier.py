"""Sends notices without holding anybody up: a bounded queue for each service, calls in threads, tries repeated."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from faust_app.runtime import metrics
from faust_app.runtime.errors import ConfigurationError
from faust_app.runtime.lifecycle import WorkerState
from faust_app.runtime.notice_services import Service
from faust_app.runtime.notices import Notice

log = structlog.get_logger(__name__)
CONDITION = "notices"
MOST_WAITING = 100
WAITS = (2.0, 10.0, 30.0)  # seconds before each further try
AGAIN_SECONDS = 30.0
PREFIX = "[alpha-panda] "


class Outbox:
    """What one service still has to be told. When too much waits, the oldest is dropped."""

    def __init__(self, service: Service, waits: Sequence[float], capacity: int) -> None:
        self._service = service
        self._waits = waits
        self._capacity = capacity
        self._waiting: deque[Notice] = deque()
        self._has_more = asyncio.Event()
        self._lost = 0  # since the last one that was taken
        self._is_last = False
        self.is_empty = asyncio.Event()
        self.is_empty.set()

    def put(self, notice: Notice) -> None:
        """Send it when its turn comes."""
        if len(self._waiting) >= self._capacity:
            self._lose(self._waiting.popleft(), "dropped")
        self._waiting.append(notice)
        self.is_empty.clear()
        self._has_more.set()

    def hurry(self) -> None:
        """Try what waits once, without waiting between."""
        self._is_last = True

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._has_more.wait()
            while self._waiting:
                await self._deliver(self._waiting.popleft())
            self._has_more.clear()
            self.is_empty.set()

    async def _deliver(self, notice: Notice) -> None:
        for wait in (0.0, *self._waits):
            if wait and self._is_last:
                break
            await asyncio.sleep(wait)
            lost = self._lost
            if await asyncio.to_thread(self._service.send, f"{PREFIX}{notice.title}", _text(notice, lost)):
                metrics.NOTICES.labels(notice.kind.value, "taken").inc()
                self._lost -= lost  # what was lost meanwhile is for the next one to say
                return
        log.warning("notice_not_taken", service=repr(self._service), kind=notice.kind.value)
        self._lose(notice, "failed")

    def _lose(self, notice: Notice, result: str) -> None:
        self._lost += 1
        metrics.NOTICES.labels(notice.kind.value, result).inc()


def _text(notice: Notice, lost: int) -> str:
    if not lost:
        return notice.text
    return f"{notice.text}\nNot delivered before this: {lost}; the monitor's log has them"


class Notifier:
    """Told by the monitor. `load` gives the services, in a thread, and is asked again while it refuses."""

    def __init__(
        self,
        load: Callable[[], Sequence[Service]],
        state: WorkerState,
        *,
        waits: Sequence[float] = WAITS,
        capacity: int = MOST_WAITING,
    ) -> None:
        self._load = load
        self._state = state
        self._waits = waits
        self._capacity = capacity
        self._early: deque[Notice] = deque(maxlen=capacity)  # before the services are known
        self._outboxes: list[Outbox] | None = None

    def tell(self, notice: Notice) -> None:
        """Queue a notice for every service; returns at once."""
        log.info("notice", kind=notice.kind.value, subject=notice.subject, title=notice.title, text=notice.text)
        if self._outboxes is None:
            self._early.append(notice)
            return
        for outbox in self._outboxes:
            outbox.put(notice)

    async def run(self) -> None:
        """Send until cancelled."""
        services = await self._services()
        self._outboxes = [Outbox(service, self._waits, self._capacity) for service in services]
        for notice in self._early:
            for outbox in self._outboxes:
                outbox.put(notice)
        await asyncio.gather(*(outbox.run() for outbox in self._outboxes))

    async def _services(self) -> Sequence[Service]:
        while True:
            try:
                found = await asyncio.to_thread(self._load)
            except ConfigurationError as error:
                self._state.degraded(CONDITION, str(error))
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                self._state.recovered(CONDITION)
                return found

    async def drain(self, seconds: float) -> None:
        """Try what still waits once more, for so long at most."""
        outboxes = self._outboxes or []
        for outbox in outboxes:
            outbox.hurry()
        waiting = [asyncio.ensure_future(outbox.is_empty.wait()) for outbox in outboxes]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=seconds)
            for one in late:
                one.cancel()
