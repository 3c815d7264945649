"""Why a worker is not ready, and how it dies."""

from __future__ import annotations

import json
import subprocess
import sys

import structlog

from faust_app.runtime.lifecycle import EXIT_FAILED, WorkerState


def test_new_worker_is_not_ready() -> None:
    assert list(WorkerState().reasons) == ["start"]


def test_latest_reason_of_a_condition_counts() -> None:
    state = WorkerState()
    state.recovered("start")
    state.degraded("kafka", "first")
    state.degraded("kafka", "second")
    state.degraded("redis", "third")
    assert state.reasons == {"kafka": "second", "redis": "third"}
    state.recovered("kafka")
    assert state.reasons == {"redis": "third"}


def test_reasons_are_a_copy() -> None:
    state = WorkerState()
    state.reasons.clear()
    assert state.reasons


def test_only_changes_are_logged() -> None:
    state = WorkerState()
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            state.degraded("kafka", "away")
        for _ in range(3):
            state.recovered("kafka")
    assert [line["event"] for line in logs] == ["degraded", "recovered"]


def test_dying_worker_tells_of_the_lines_it_has_not_written() -> None:
    code = (
        "import structlog\n"
        "from faust_app.runtime.lifecycle import die\n"
        "from faust_app.runtime.logging import configure_logging\n"
        "from faust_app.runtime.sections import LogSettings\n"
        "configure_logging(LogSettings(), stage='ledger', broker='shared')\n"
        "for offset in range(5):\n"
        "    structlog.get_logger('x').warning('again', offset=offset)\n"
        "die('delivery failed', ValueError('no partition'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60, text=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line.get("repeated")) for line in lines] == [
        ("again", None),
        ("worker_dies", None),
        ("again", 4),
    ]


def test_dying_worker_says_why_and_runs_nothing_more() -> None:
    code = (
        "import atexit\n"
        "from faust_app.runtime.lifecycle import die\n"
        "atexit.register(lambda: print('committed'))\n"
        "try:\n"
        "    die('delivery failed', ValueError('no partition'))\n"
        "finally:\n"
        "    print('committed')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60, text=True)
    assert done.returncode == EXIT_FAILED
    assert "committed" not in done.stdout
    assert "ValueError: no partition" in done.stdout + done.stderr
