"""Logs: JSON, one event a line, one schema for this code, Faust and aiokafka."""

from __future__ import annotations

import json
import logging
import logging.handlers
import sys
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from faust_app.runtime.log_channels import channel_of
from faust_app.runtime.log_repeats import Collapsing
from faust_app.runtime.log_text import one_line, speaker
from faust_app.runtime.redaction import KNOWN, blanked, redact
from faust_app.runtime.sections import LogSettings
from faust_app.runtime.topics import SHARED

NOISY = ("faust", "mode", "aiokafka", "kafka", "asyncio", "twisted", "autobahn", "kiteconnect")
FIELDS = {
    "ts": "when it was logged: ISO 8601, UTC, microseconds",
    "level": "debug, info, warning, error or critical",
    "channel": "what it is about; an event may name another one than its logger has",
    "stage": "the worker's stage",
    "broker": "the worker's broker, `shared` for stages without one",
    "worker": "the worker: `risk_manager.paper`, `ledger`",
    "correlation_id": "id of the chain the line belongs to, that is of the frame it began with; null outside one",
    "logger": "who has logged it",
    "event": "what has happened: a short name, or the sentence of a library",
}
MORE_FIELDS = {
    "exception": "the traceback",
    "service": "which of Faust's services speaks",
    "repeated": "so many equal lines came within ten seconds and were not written; the fields are the last one's",
    "order_id, signal_id": "of lines about an order or a signal, with `strategy` and `instrument`",
}
PRINTED = "printed"


def worker_name(stage: str, broker: str) -> str:
    """`risk_manager.paper`; of a stage without a broker its name."""
    return stage if broker in ("", SHARED) else f"{stage}.{broker}"


def configure_logging(settings: LogSettings, *, stage: str, broker: str, secrets: Iterable[str] = ()) -> None:
    """Send everything to standard error, or to a rotating file below `settings.directory`; `secrets` are blanked."""
    KNOWN.hide(secrets)
    level = settings.level.upper()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.contextvars.merge_contextvars,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = _handler(settings, worker_name(stage, broker))
    handler.setFormatter(_formatter(_Schema(stage, broker or SHARED)))
    root = logging.getLogger()
    before = [one for one in root.handlers if isinstance(one, Collapsing)]
    root.handlers[:] = [Collapsing(handler)]
    for one in before:
        one.close()
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


def _formatter(schema: _Schema) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        processors=[_plain, redact, schema, structlog.processors.JSONRenderer(sort_keys=False)],
        foreign_pre_chain=[
            structlog.stdlib.ExtraAdder(),
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
        ],
    )


def _plain(_logger: Any, _method: str, event: Any) -> Any:
    """The event in one line; who speaks, of Faust's services, as a field."""
    text = event["event"]
    service, text = speaker(text if isinstance(text, str) else repr(text))
    event["event"] = one_line(text)
    if service:
        event["service"] = service
    return event


class _Schema:
    """Puts the fields every line has in front, whoever logged it."""

    def __init__(self, stage: str, broker: str) -> None:
        self._stage = stage
        self._broker = broker
        self._worker = worker_name(stage, broker)

    def __call__(self, _logger: Any, _method: str, event: Any) -> dict[str, Any]:
        """A line from an event. It may bring its own channel, stage, broker and correlation id."""
        record: logging.LogRecord = event.pop("_record")
        event.pop("_from_structlog", None)
        handled, repeated = getattr(record, "handled", None), getattr(record, "repeated", 0)
        head = {
            "ts": _time(record.created),
            "level": record.levelname.lower(),
            "channel": event.pop("channel", None) or channel_of(record.name),
            "stage": event.pop("stage", self._stage),
            "broker": event.pop("broker", self._broker),
            "worker": self._worker,
            "correlation_id": event.pop("correlation_id", None) or handled,
            "logger": record.name,
            "event": event.pop("event"),
        }
        event.pop("handled", None)
        if repeated:
            event["repeated"] = repeated
        return head | {name: value for name, value in event.items() if name not in head}


def _time(epoch_seconds: float) -> str:
    at = datetime.fromtimestamp(epoch_seconds, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


class _Line(msgspec.Struct):
    ts: str
    level: str
    event: str


_decode_line = msgspec.json.Decoder(_Line).decode


def printed_line(text: str, *, stage: str, broker: str) -> str:
    """A line of a worker's output as it is written down: what is none of ours, printed past the log, becomes one.

    Empty for a line without text.
    """
    if _is_line(text):
        return text
    said = blanked(one_line(text)).strip()
    record = logging.makeLogRecord({"name": PRINTED, "levelname": "WARNING", "created": time.time()})
    return json.dumps(_Schema(stage, broker or SHARED)(None, "", {"_record": record, "event": said})) if said else ""


def _is_line(text: str) -> bool:
    try:
        _decode_line(text)
    except (msgspec.MsgspecError, UnicodeError):
        return False
    return True


def capture_everything() -> None:
    """Let warnings and the ends of threads be lines of the log, too. Called once by a worker process."""
    logging.captureWarnings(True)
    threading.excepthook = _thread_failed


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None:
        name = failed.thread.name if failed.thread is not None else ""
        structlog.get_logger(__name__).critical("thread_failed", thread=name, exc_info=failed.exc_value)


def end_windows() -> None:
    """Tell of repeated lines whose time is over."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, Collapsing):
            handler.end_windows()


def tell_repeated() -> None:
    """Tell of all repeated lines, before the process ends without further ado."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, Collapsing):
            handler.tell_all()
