"""`alpha-panda logs`: what is shown of the files workers have left, and what comes while it is followed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from faust_app.commands import chain, logs
from faust_app.commands.cli import _run
from faust_app.commands.log_files import Line, LogFolder, parse
from faust_app.commands.log_view import row
from faust_app.runtime.errors import TransientError
from faust_app.runtime.settings import PROJECT
from tests.running_stack import wait_for

NOW = 1_787_000_000.0
LOGGED = "kafka, ledger, redis, risk_manager, trading_engine"
COMMAND = [sys.executable, "-m", "faust_app.commands.cli", "logs"]


def line(at: float, event: str, worker: str = "risk_manager.paper", **fields: Any) -> str:
    stage, _, broker = worker.partition(".")
    known = {
        "ts": datetime.fromtimestamp(NOW + at, UTC).isoformat(),
        "level": "info",
        "channel": "trading",
        "stage": stage,
        "broker": broker or "shared",
        "worker": worker,
        "correlation_id": None,
        "logger": "agents.risk_manager",
        "event": event,
    }
    return json.dumps(known | fields)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "state" / "logs"
    found.mkdir(parents=True)
    monkeypatch.setenv("ALPHA_PANDA__STACK__STATE_DIRECTORY", str(tmp_path / "state"))
    write(found / "risk_manager.paper.log.1", line(1, "first"), line(3, "third", level="warning"))
    write(found / "risk_manager.paper.log", line(5, "fifth", order_id="order 1", correlation_id="chain"))
    write(
        found / "ledger.log",
        line(2, "second", "ledger", channel="infrastructure", level="error", exception="Traceback:\n  boom"),
        line(4, "fourth", "ledger", correlation_id="chain"),
    )
    write(found / "trading_engine.zerodha.log")
    write(found / "kafka.log", "2026-08-17T20:53:22.500+0000 [main] WARN kafka.server - disk is slow")
    write(found / "redis.log", "17:M 17 Aug 2026 20:53:21.250 * Ready", "  and more of it")
    return found


def write(file: Path, *texts: str) -> None:
    with file.open("a") as opened:
        opened.writelines(f"{text}\n" for text in texts)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """Events printed by the command."""
    assert _run(["logs", "--json", *arguments]) == 0
    return [json.loads(one)["event"] for one in capsys.readouterr().out.splitlines()]


def test_files_are_merged_by_time_rotated_ones_included(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys) == ["first", "second", "third", "fourth", "fifth"]


@pytest.mark.parametrize(
    ("options", "events"),
    [
        (["--stage", "ledger"], ["second", "fourth"]),
        (["--broker", "paper"], ["first", "third", "fifth"]),
        (["--broker", "shared"], ["second", "fourth"]),
        (["--level", "warning"], ["second", "third"]),
        (["--level", "error"], ["second"]),
        (["--channel", "infrastructure"], ["second"]),
        (["--stage", "ledger", "--level", "info", "--channel", "trading"], ["fourth"]),
        (["--broker", "zerodha"], []),  # not enabled, but it has a log
    ],
)
def test_options_choose_lines(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], events: list[str]
) -> None:
    assert shown(capsys, *options) == events


def test_since_counts_back_from_now(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs.time, "time", lambda: NOW + 6)
    assert shown(capsys, "--since", "2.5s") == ["fourth", "fifth"]


def test_files_written_to_before_since_are_not_read(folder: Path) -> None:
    os.utime(folder / "risk_manager.paper.log.1", (NOW, NOW))
    read = LogFolder(folder, lambda name: name == "risk_manager.paper", since=NOW + 1).read()
    assert [one.fields["event"] for one in read] == ["fifth"]


def test_logs_of_servers_are_shown_when_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["logs", "--json", "--stage", "kafka"]) == 0
    kafka = json.loads(capsys.readouterr().out)
    assert (kafka["stage"], kafka["level"], kafka["event"].split()[-1]) == ("kafka", "warning", "slow")
    assert datetime.fromisoformat(kafka["ts"]) == datetime(2026, 8, 17, 20, 53, 22, 500_000, UTC)
    assert shown(capsys, "--stage", "redis") == ["17:M 17 Aug 2026 20:53:21.250 * Ready", "  and more of it"]


def test_people_get_columns(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["logs"]) == 0
    printed = capsys.readouterr().out.splitlines()
    at = datetime.fromtimestamp(NOW + 5, UTC).astimezone(log_view_zone()).strftime("%m-%d %H:%M:%S.000")
    assert printed[-1].split() == [
        *at.split(), "info", "trading", "risk_manager.paper", "fifth", 'order_id="order', '1"', "correlation_id=chain",
    ]  # fmt: skip
    assert printed[2:4] == ["    Traceback:", "      boom"]
    assert not any("\x1b" in one for one in printed)
    assert "\x1b[" in row(Line(NOW, {"event": "x", "level": "error"}), colour=True)


def log_view_zone() -> Any:
    from trading.market.sessions import IST

    return IST


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--stage", "risk"],
            "There is no log of a stage 'risk'; there are kafka, ledger, redis, risk_manager, trading_engine\n",
        ),
        (["--broker", "x"], "There is no broker 'x'; one of paper, shared, zerodha\n"),
        (["--level", "loud"], "There is no level 'loud'; one of debug, info, warning, error, critical\n"),
        (["--channel", "x"], "There is no channel 'x'; one of trading, audit, market, infrastructure\n"),
        (["--since", "soon"], "--since 'soon' is not a duration like 60s, 10m or 1h\n"),
    ],
)
def test_bad_options_are_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    assert _run(["logs", *options]) == 2
    assert capsys.readouterr().err == sentence


def test_without_any_run_there_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPHA_PANDA__STACK__STATE_DIRECTORY", str(tmp_path / "none"))
    assert _run(["logs"]) == 2
    sentence = f"No stack has logged anything to {tmp_path}/none/logs yet: start it with `alpha-panda up`\n"
    assert capsys.readouterr().err == sentence


def test_trace_shows_the_lines_of_a_decision(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def found(*_: object, **__: object) -> chain.Chain:
        ids = {"event_id": "fill 1", "causation_id": None, "correlation_id": "chain"}
        event = {**ids, "occurred_at": datetime.now(UTC), "at": None, "data": {"order_id": "order 2"}}
        return chain.Chain({"fill 1": event}, ())

    write(folder / "risk_manager.paper.log", line(6, "sixth", order_id="order 2"), line(7, "seventh", order_id="3"))
    monkeypatch.setattr(chain, "find_chain", found)
    assert shown(capsys, "--trace", "fill 1") == ["fourth", "fifth", "sixth"]


def test_trace_looks_for_the_id_itself_while_nobody_can_tell(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> chain.Chain:
        raise TransientError("PostgreSQL is away and so is Kafka")

    monkeypatch.setattr(chain, "find_chain", away)
    assert _run(["logs", "--json", "--trace", "order 1"]) == 0
    captured = capsys.readouterr()
    assert [json.loads(one)["event"] for one in captured.out.splitlines()] == ["fifth"]
    assert captured.err == "PostgreSQL is away and so is Kafka: lines that name the id itself are shown\n"


def events(folder: LogFolder) -> list[str]:
    return [one.fields["event"] for one in folder.read()]


def test_following_survives_rotations_restarts_and_half_a_line(folder: Path) -> None:
    followed = LogFolder(folder, lambda name: name == "risk_manager.paper")
    file = folder / "risk_manager.paper.log"
    assert events(followed) == ["first", "third", "fifth"]
    assert events(followed) == []
    with file.open("a") as opened:
        opened.write(line(6, "sixth")[:20])
        opened.flush()
        assert events(followed) == []
        opened.write(line(6, "sixth")[20:] + "\n" + line(7, "seventh") + "\n")
    for number in (2, 1):  # two rotations between two looks
        (folder / f"{file.name}.{number - 1}" if number > 1 else file).rename(folder / f"{file.name}.{number}")
    write(file, line(8, "eighth"))
    assert events(followed) == ["sixth", "seventh", "eighth"]
    write(folder / "risk_manager.zerodha.log", line(9, "of another"))
    file.unlink()  # `reset`, and a new run
    write(file, line(10, "tenth"))
    assert events(followed)[-1] == "tenth"


def test_a_file_rotated_while_it_is_looked_at_is_read_once_and_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed = LogFolder(folder, lambda name: name == "ledger")
    assert events(followed) == ["second", "fourth"]
    file = folder / "ledger.log"
    write(file, line(6, "sixth", "ledger"))
    unread = LogFolder._unread

    def rotated(*arguments: Any) -> Any:
        found = unread(*arguments)
        if not (folder / "ledger.log.1").exists():
            file.rename(folder / "ledger.log.1")
            write(file, line(7, "seventh", "ledger"))
        return found

    monkeypatch.setattr(LogFolder, "_unread", rotated)
    assert events(followed) == ["sixth", "seventh"]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("2026-11-21 21:43:46.475 UTC [28438] LOG:  starting PostgreSQL", "info"),
        ("2026-11-21 21:43:46.475 UTC [28438] FATAL:  no room", "critical"),
        ("2026-11-21T21:43:46.475+0000 [log-cleaner] ERROR kafka - failed", "error"),
        ('ts=2026-11-21T21:43:46.475Z caller=main.go level=warn msg="x"', "warning"),
    ],
)
def test_lines_of_servers_say_when_and_how_bad(text: str, level: str) -> None:
    found = parse("server", text, 0.0)
    assert found.at == datetime(2026, 11, 21, 21, 43, 46, 475_000, UTC).timestamp()
    assert found.fields["level"] == level
    assert found.fields["event"] == text


def test_lines_of_older_releases_get_their_worker_and_channel() -> None:
    old = {"ts": "2026-11-21T21:43:46Z", "event": "x", "logger": "agents.market_feed", "level": "info"}
    assert parse("market_feed", json.dumps(old), 0.0).fields | old == {
        **old, "worker": "market_feed", "channel": "market",
    }  # fmt: skip


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A child of tests that run in the background would ignore an interrupt, as they do."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_following_goes_on_until_it_is_interrupted(folder: Path, tmp_path: Path) -> None:
    printed, complaints = tmp_path / "printed", tmp_path / "complaints"
    with printed.open("w") as out, complaints.open("w") as err:
        process = subprocess.Popen([*COMMAND, "--follow", "--json"], cwd=PROJECT, stdout=out, stderr=err)

    def said(event: str) -> bool:
        write(folder / "ledger.log", line(time.time() - NOW, event, "ledger"))
        return event in printed.read_text()

    try:
        wait_for(lambda: said("now"), "the first line")
        (folder / "ledger.log").rename(folder / "ledger.log.1")
        wait_for(lambda: said("after the rotation"), "a line after the rotation")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
    assert complaints.read_text() == ""
    assert "first" not in printed.read_text()  # it is older than a minute
