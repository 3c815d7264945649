"""Logs: one JSON object a line, the same fields whoever logs, no secret in any of them."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from faust_app.runtime.logging import NOISY, configure_logging, redact
from faust_app.runtime.sections import LogSettings

SECRET = "Zx9-s3cret_value"
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def restored() -> Iterator[None]:
    """Logging as it was before the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in NOISY}
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def lines(restored: None, tmp_path: Path) -> Lines:
    """Configured to a file; returns what it holds, parsed."""
    configure_logging(LogSettings(directory=tmp_path), stage="risk_manager", broker="paper")  # type: ignore[call-arg]
    path = tmp_path / "risk_manager.paper.log"
    return lambda: [json.loads(line) for line in path.read_text().splitlines()]


def logger() -> Any:
    return structlog.get_logger("tests.logging")


def test_every_line_is_json_with_the_same_fields(lines: Lines) -> None:
    logger().info("signal_accepted", quantity=10)
    logging.getLogger("sqlalchemy").warning("pool of %d is full", 4)
    with structlog.contextvars.bound_contextvars(correlation_id="chain"):
        logger().warning("multi\nline")
    own, foreign, bound = lines()
    for line in (own, foreign, bound):
        assert {"event", "level", "logger", "ts", "stage", "broker", "correlation_id"} <= set(line)
        assert (line["stage"], line["broker"]) == ("risk_manager", "paper")
        assert line["ts"].endswith("Z")
    assert (own["event"], own["quantity"], own["level"], own["correlation_id"]) == (
        "signal_accepted",
        10,
        "info",
        None,
    )
    assert (foreign["event"], foreign["logger"]) == ("pool of 4 is full", "sqlalchemy")
    assert (bound["event"], bound["correlation_id"]) == ("multi / line", "chain")


def test_correlation_id_given_with_the_event_is_kept(lines: Lines) -> None:
    logger().info("order_sent", correlation_id="chain", stage="other")
    (line,) = lines()
    assert (line["correlation_id"], line["stage"]) == ("chain", "other")


def test_traceback_is_one_line(lines: Lines) -> None:
    try:
        raise ValueError("bad")
    except ValueError:
        logger().exception("handler_failed")
        logging.getLogger("faust").exception("Agent failed")
    own, foreign = lines()
    for line in (own, foreign):
        assert "ValueError: bad" in line["exception"]
        assert "Traceback" in line["exception"]


def test_what_json_does_not_know_is_still_a_line(lines: Lines) -> None:
    logger().info("odd", path=Path("/x"), data=b"\xff", text="\ud800")
    assert lines()[0]["path"]


SECRETS: list[tuple[str, Callable[[Any], None]]] = [
    ("text", lambda log: log.info(f"GET /x?api_key=k&access_token={SECRET}&v=3")),
    ("value", lambda log: log.info("x", url=f"wss://ws.kite.trade?access_token={SECRET}")),
    ("keyword", lambda log: log.info("x", access_token=SECRET)),
    ("password", lambda log: log.info("x", password=SECRET)),
    ("nested", lambda log: log.info("x", body={"data": [{"access_token": SECRET}]})),
    ("nested text", lambda log: log.info("x", headers=[f"access_token={SECRET}"])),
    ("bytes", lambda log: log.info("x", body=f"access_token={SECRET}".encode())),
    ("json text", lambda log: log.info(json.dumps({"access_token": SECRET}))),
    ("json in json", lambda log: log.info(json.dumps({"b": json.dumps({"api_secret": SECRET})}))),
    ("authorization", lambda log: log.info("x", headers={"Authorization": f"token key:{SECRET}"})),
    ("authorization text", lambda log: log.info(f"Authorization: token key:{SECRET}")),
    ("python dict", lambda log: log.info(f"{ {'request_token': SECRET} }")),
    ("exception", lambda log: log.info("x", exc_info=ValueError(f"checksum={SECRET}"))),
    ("capitals", lambda log: log.info(f"PASSWORD={SECRET}")),
    ("address", lambda log: log.info(f"postgresql://alpha:{SECRET}@127.0.0.1:5432/db")),
]


@pytest.mark.parametrize("write", [write for _, write in SECRETS], ids=[name for name, _ in SECRETS])
def test_secret_never_reaches_a_line(lines: Lines, tmp_path: Path, write: Callable[[Any], None]) -> None:
    write(logger())
    assert lines()
    assert SECRET not in (tmp_path / "risk_manager.paper.log").read_text()


def test_secret_of_a_foreign_logger_never_reaches_a_line(lines: Lines, tmp_path: Path) -> None:
    foreign = logging.getLogger("kiteconnect")
    foreign.warning("Connecting to %s", f"wss://ws?access_token={SECRET}")
    foreign.warning("x", extra={"access_token": SECRET})
    try:
        raise RuntimeError(f"api_secret: {SECRET}")
    except RuntimeError:
        foreign.exception("failed")
    assert len(lines()) == 3
    assert SECRET not in (tmp_path / "risk_manager.paper.log").read_text()


def test_redaction_leaves_the_rest_of_the_text() -> None:
    event = redact(None, "info", {"event": f"a=1&access_token={SECRET}&b=2", "count": 3, "none": None})
    assert event == {"event": "a=1&access_token=***&b=2", "count": 3, "none": None}
    plain = {"event": "the passwords file is missing", "topic": "paper.orders.filled", "nested": {"a": [1, "b"]}}
    assert redact(None, "info", {**plain}) == plain


@pytest.mark.parametrize(
    ("level", "own", "foreign"),
    [
        ("debug", ["debug", "info", "warning", "error"], ["info", "warning", "error"]),
        ("info", ["info", "warning", "error"], ["warning", "error"]),
        ("warning", ["warning", "error"], ["warning", "error"]),
        ("error", ["error"], ["error"]),
    ],
)
def test_level_is_the_lowest_written(
    restored: None, tmp_path: Path, level: str, own: list[str], foreign: list[str]
) -> None:
    settings = LogSettings(directory=tmp_path, level=level)  # type: ignore[call-arg]
    configure_logging(settings, stage="s", broker="")
    for name in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger("tests.level"), name)("own")
        getattr(logging.getLogger("aiokafka"), name)("foreign")
    written = [json.loads(line) for line in (tmp_path / "s.log").read_text().splitlines()]
    assert [line["level"] for line in written if line["event"] == "own"] == own
    assert [line["level"] for line in written if line["event"] == "foreign"] == foreign
    assert {line["broker"] for line in written} == {"shared"}


def test_configuring_again_does_not_write_twice(lines: Lines, tmp_path: Path) -> None:
    configure_logging(LogSettings(directory=tmp_path), stage="risk_manager", broker="paper")  # type: ignore[call-arg]
    logger().info("once")
    assert len(lines()) == 1


def test_logs_go_to_standard_error_without_a_directory(restored: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogSettings(), stage="s", broker="paper")  # type: ignore[call-arg]
    structlog.get_logger("tests.stderr").info("here")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["event"] == "here"
    assert sys.stderr is not None


def test_files_are_rotated(restored: None, tmp_path: Path) -> None:
    settings = LogSettings(directory=tmp_path, file_megabytes=1, files_kept=1)  # type: ignore[call-arg]
    configure_logging(settings, stage="s", broker="paper")
    for number in range(25):
        structlog.get_logger("tests.rotated").info(f"{number}" + "x" * 100_000)
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == ["s.paper.log", "s.paper.log.1"]
    assert all(path.stat().st_size <= 1 << 20 for path in tmp_path.iterdir())
