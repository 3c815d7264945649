"""Logging as a worker configures it, put back afterwards."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from faust_app.runtime.log_context import handling
from faust_app.runtime.logging import NOISY
from faust_app.runtime.redaction import KNOWN


@contextmanager
def as_it_was() -> Iterator[None]:
    """What a test does to logging is undone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in NOISY}
    shown = warnings.showwarning
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    logging.captureWarnings(False)
    warnings.showwarning = shown
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    handling(None)
    KNOWN.forget()
