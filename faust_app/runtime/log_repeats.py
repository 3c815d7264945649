"""Keeps a flood of equal lines out of a log: the first is written at once, the others are counted and told of once."""

from __future__ import annotations

import copy
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from faust_app.runtime import metrics
from faust_app.runtime.log_context import correlation_id

WINDOW_SECONDS = 10.0
MOST_WINDOWS = 2_000
UNIMPORTANT = (int, float)  # kinds of values that do not tell lines apart below the level of an error


@dataclass
class _Window:
    began: float
    repeated: int = 0
    last: logging.LogRecord | None = None


class Collapsing(logging.Handler):
    """Hands records on to `target`; of equal ones within a window the first, and one more with `repeated` at its end.

    Counts all of them, by level. While lines go on to repeat, each further window has one line. Any thread may log.
    """

    def __init__(
        self,
        target: logging.Handler,
        *,
        window_seconds: float = WINDOW_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._target = target
        self._seconds = window_seconds
        self._clock = clock
        self._windows: OrderedDict[Hashable, _Window] = OrderedDict()  # the first one ends first

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or count it. Called with the handler's lock; what goes wrong is not the caller's."""
        try:
            self._take(record)
        except Exception:
            self.handleError(record)

    def _take(self, record: logging.LogRecord) -> None:
        metrics.LOG_LINES.labels(record.levelname.lower()).inc()
        record.handled = correlation_id()
        now = self._clock()
        self._end_windows(now)
        key = identity(record)
        window = self._windows.get(key)
        if window is not None:
            window.repeated, window.last = window.repeated + 1, record
            return
        if len(self._windows) >= MOST_WINDOWS:
            self._tell(self._windows.popitem(last=False)[1])
        self._windows[key] = _Window(now)
        self._target.handle(record)

    def end_windows(self) -> None:
        """Tell of what has been repeated in the windows that have ended: at a time when nothing is logged, too."""
        self.acquire()
        try:
            self._end_windows(self._clock())
        finally:
            self.release()

    def tell_all(self) -> None:
        """Tell of everything that has been repeated: the process ends."""
        self.acquire()
        try:
            while self._windows:
                self._tell(self._windows.popitem(last=False)[1])
        finally:
            self.release()

    def close(self) -> None:
        """The end: nothing that was counted is lost."""
        self.tell_all()
        self._target.close()
        super().close()

    def _end_windows(self, now: float) -> None:
        while self._windows:
            key, window = next(iter(self._windows.items()))
            if now - window.began < self._seconds:
                return
            del self._windows[key]
            if window.repeated:
                self._tell(window)
                self._windows[key] = _Window(now)

    def _tell(self, window: _Window) -> None:
        if window.last is None:
            return
        record = copy.copy(window.last)
        record.created = time.time()
        record.repeated = window.repeated
        self._target.handle(record)


def identity(record: logging.LogRecord) -> Hashable:
    """What equal lines have in common: logger, level, event and fields.

    Below the level of an error numbers do not count: offsets and durations tell no lines apart.
    """
    if not isinstance(record.msg, dict):
        error = record.exc_info[1] if record.exc_info else None
        return record.name, record.levelno, record.getMessage(), repr(error)
    is_error = record.levelno >= logging.ERROR
    fields = [
        (name, _hashable(value)) for name, value in record.msg.items() if is_error or not isinstance(value, UNIMPORTANT)
    ]
    return record.name, record.levelno, tuple(fields)


def _hashable(value: Any) -> Hashable:
    return value if isinstance(value, str) else repr(value)
