"""Logs: one JSON object a line, the same fields whoever logs, no secret in any of them."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mode
import pytest
import structlog
from prometheus_client import REGISTRY

from faust_app.runtime.codec import encode, encode_frame, root
from faust_app.runtime.log_channels import Channel
from faust_app.runtime.log_context import handling
from faust_app.runtime.logging import FIELDS, capture_everything, configure_logging, printed_line, tell_repeated
from faust_app.runtime.redaction import redact
from faust_app.runtime.sections import LogSettings
from models.messages.ticks import FRAME_VERSION, TickFrame
from tests.factories import signal
from tests.unit.runtime.log_capture import as_it_was

SECRET = "Zx9-s3cret_value"
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def restored() -> Iterator[None]:
    """Logging as it was before the test."""
    with as_it_was():
        yield


@pytest.fixture
def lines(restored: None, tmp_path: Path) -> Lines:
    """Configured to a file; returns what it holds, parsed."""
    configure_logging(LogSettings(directory=tmp_path), stage="risk_manager", broker="paper")  # type: ignore[call-arg]
    path = tmp_path / "risk_manager.paper.log"
    return lambda: [json.loads(line) for line in path.read_text().splitlines()]


def logger() -> Any:
    return structlog.get_logger("tests.logging")


@dataclass
class Message:
    """A consumed message."""

    value: bytes | None


class Service(mode.Service):
    """One of Faust's kind, which logs in its own way."""


def own() -> None:
    logger().info("signal_accepted", quantity=10)


def a_library() -> None:
    logging.getLogger("sqlalchemy").warning("pool of %d is full", 4)


def a_library_with_fields() -> None:
    logging.getLogger("aiokafka").error("lost", extra={"partition": 3})


def an_error_of_ours() -> None:
    try:
        raise ValueError("bad")
    except ValueError:
        logger().exception("handler_failed")


def an_error_of_faust() -> None:
    try:
        raise ValueError("bad")
    except ValueError:
        Service().log.exception("Crashed reason=%r", "x")


def a_service_of_faust() -> None:
    box = ("+Highwater - Active+---+", "| topic | offset |", "+---+---+", "| a.b   | 12     |", "+---+---+")
    Service().log.warning("\n".join(("Recovery:", *box)))


def a_warning() -> None:
    capture_everything()
    warnings.showwarning("it is old", UserWarning, "x.py", 3)


def the_end_of_a_thread() -> None:
    capture_everything()

    def fail() -> None:
        raise LookupError("no reactor")

    thread = threading.Thread(target=fail, name="reactor")
    thread.start()
    thread.join()


PATHS = [
    (own, "signal_accepted", "info", "tests.logging"),
    (a_library, "pool of 4 is full", "warning", "sqlalchemy"),
    (a_library_with_fields, "lost", "error", "aiokafka"),
    (an_error_of_ours, "handler_failed", "error", "tests.logging"),
    (an_error_of_faust, "Crashed reason='x'", "error", __name__),
    (a_service_of_faust, "Recovery: / Highwater - Active / topic, offset / a.b, 12", "warning", __name__),
    (a_warning, "x.py:3: UserWarning: it is old", "warning", "py.warnings"),
    (the_end_of_a_thread, "thread_failed", "critical", "faust_app.runtime.logging"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("write", "event", "level", "name"), PATHS, ids=[path[0].__name__ for path in PATHS])
def test_every_line_has_the_fields_of_the_schema_whoever_writes_it(
    lines: Lines, monkeypatch: pytest.MonkeyPatch, write: Callable[[], None], event: str, level: str, name: str
) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    write()
    (line,) = lines()
    assert list(line)[: len(FIELDS)] == list(FIELDS)
    assert (line["event"], line["level"], line["logger"]) == (event, level, name)
    assert (line["stage"], line["broker"], line["worker"]) == ("risk_manager", "paper", "risk_manager.paper")
    assert line["channel"] in set(Channel)
    assert line["correlation_id"] is None
    assert datetime.fromisoformat(line["ts"]).tzinfo is UTC


def test_fields_of_an_event_follow_those_of_the_schema(lines: Lines) -> None:
    own()
    a_library_with_fields()
    a_service_of_faust()
    ours, library, service = lines()
    assert ours["quantity"] == 10
    assert library["partition"] == 3
    assert service["service"] == "Service"


def test_a_line_belongs_to_the_chain_of_the_message_at_hand(lines: Lines) -> None:
    raised = root(signal(), message_id="a signal", broker="paper", key="k", source="s", at=datetime.now(UTC))
    frame = TickFrame(FRAME_VERSION, "a frame", "run", 1, 1, 1, "shared", ())
    messages = [encode(raised), encode_frame(frame), b"\xff", None]
    for number, value in enumerate(messages):
        handling(Message(value))
        logger().info(f"line {number}")
    handling(None)
    logger().info("after")
    assert [line["correlation_id"] for line in lines()] == ["a signal", "a frame", None, None, None]


def test_an_event_may_name_its_channel(lines: Lines) -> None:
    logger().info("x", channel="audit")
    logging.getLogger("kiteconnect.ticker").error("closed")
    assert [line["channel"] for line in lines()] == ["audit", "market"]


def test_lines_are_counted_by_level_those_not_written_too(lines: Lines) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("alpha_panda_log_lines_total", {"level": "warning"}) or 0.0

    before = counted()
    for _ in range(5):
        logger().warning("again")
    assert counted() == before + 5
    assert len(lines()) == 1
    tell_repeated()
    assert lines()[1]["repeated"] == 4


def test_reconfiguring_loses_no_repeated_line(lines: Lines, tmp_path: Path) -> None:
    for _ in range(3):
        logger().warning("again")
    configure_logging(LogSettings(directory=tmp_path), stage="risk_manager", broker="paper")  # type: ignore[call-arg]
    assert [line.get("repeated") for line in lines()] == [None, 2]


@pytest.mark.parametrize(
    "text",
    [
        "+ƒaµS† v0.15.3+-----+",
        "| id | alpha-panda.ledger |",
        "\x08\x1b[?25h and more",
        "Traceback (most recent call last):",
        '{"not": "of the schema"}',
        '{"cut off',
        "[1, 2]",
    ],
)
def test_what_a_worker_prints_past_the_log_becomes_a_line_of_the_schema(text: str) -> None:
    line = json.loads(printed_line(text, stage="ledger", broker="shared"))
    assert list(line) == list(FIELDS)
    assert (line["worker"], line["broker"], line["level"]) == ("ledger", "shared", "warning")
    assert "\x1b" not in line["event"]


def test_lines_of_the_log_are_written_down_as_they_are(lines: Lines, tmp_path: Path) -> None:
    own()
    text = (tmp_path / "risk_manager.paper.log").read_text().rstrip()
    assert printed_line(text, stage="s", broker="b") == text
    assert printed_line("\x08\x1b[?25h", stage="s", broker="b") == ""


def test_known_secrets_never_reach_a_line(restored: None, tmp_path: Path) -> None:
    configure_logging(LogSettings(directory=tmp_path), stage="s", broker="paper", secrets=(SECRET, "4711"))  # type: ignore[call-arg]
    logger().info(f"asked with {SECRET}", seen=[{"deep": (SECRET,)}], number=4711)
    logging.getLogger("kiteconnect").error("header %s", SECRET)
    written = (tmp_path / "s.paper.log").read_text()
    assert len(written.splitlines()) == 2
    assert SECRET not in written
    assert "4711" not in written
    assert SECRET not in printed_line(f"printed {SECRET}", stage="s", broker="paper")


def test_numbers_json_does_not_know_do_not_spoil_a_line(lines: Lines) -> None:
    logger().info("odd", ratio=float("nan"), rate=float("inf"))
    assert (lines()[0]["ratio"], lines()[0]["rate"]) == ("nan", "inf")


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
