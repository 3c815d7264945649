"""Logs: JSON, one event a line, one schema for this code, Faust and aiokafka."""

from __future__ import annotations

import logging
import logging.handlers
import re
import sys
from typing import Any

import structlog

from faust_app.runtime.sections import LogSettings

NAMES = "access_token|refresh_token|request_token|api_secret|password|checksum|authorization"
SECRET_NAME = re.compile(NAMES, re.IGNORECASE)
SECRETS = (
    (re.compile(rf"({NAMES})([\\\"']*\s*[=:]\s*[\\\"']*)(?!token )[^\s&\"',\\]+", re.IGNORECASE), r"\1\2***"),
    (re.compile(r"(token\s+)[^\s:]+:[^\s\"',\\]+", re.IGNORECASE), r"\1***"),  # Kite's Authorization header
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), r"\1***@"),
)
NOISY = ("faust", "mode", "aiokafka", "kafka", "asyncio", "twisted", "autobahn", "kiteconnect")


def redact(_logger: Any, _method: str, event: Any) -> Any:
    """Blank what follows or is kept under a secret's name, however deep in the event."""
    for key, value in event.items():
        if not key.startswith("_"):
            event[key] = _without_secrets(key, value)
    return event


def _without_secrets(name: str, value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if SECRET_NAME.fullmatch(name):
        return "***"
    if isinstance(value, dict):
        return {str(key): _without_secrets(str(key), inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_secrets("", inner) for inner in value]
    text = value if isinstance(value, str) else repr(value)
    for pattern, blank in SECRETS:
        text = pattern.sub(blank, text)
    return text


def _processors() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
    ]


def configure_logging(settings: LogSettings, *, stage: str, broker: str) -> None:
    """Send everything to standard error, or to a rotating file below `settings.directory`."""
    level = settings.level.upper()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(sort_keys=False),
        ],
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *_processors()],
    )
    handler = _handler(settings, f"{stage}.{broker}" if broker else stage)
    handler.setFormatter(formatter)
    handler.addFilter(_Context(stage, broker))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    quiet = logging.INFO if level == "DEBUG" else max(logging.WARNING, root.level)
    for name in NOISY:
        logging.getLogger(name).setLevel(quiet)


def _handler(settings: LogSettings, name: str) -> logging.Handler:
    if settings.directory is None:
        return logging.StreamHandler(sys.stderr)
    settings.directory.mkdir(parents=True, exist_ok=True)
    return logging.handlers.RotatingFileHandler(
        settings.directory / f"{name}.log",
        maxBytes=settings.file_megabytes << 20,
        backupCount=settings.files_kept,
        encoding="utf-8",
    )


class _Context(logging.Filter):
    """Puts stage, broker and correlation id on every line, whoever logged it."""

    def __init__(self, stage: str, broker: str) -> None:
        super().__init__()
        self._fields = {"stage": stage, "broker": broker or "shared"}

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields; keeps every record."""
        if isinstance(record.msg, dict):
            for key, value in self._fields.items():
                record.msg.setdefault(key, value)
            record.msg.setdefault("correlation_id", None)
        else:
            record.__dict__.update(self._fields, correlation_id=None)
        return True
