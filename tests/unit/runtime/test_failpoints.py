"""Failpoints: the worker dies exactly once at the chosen place, and never when none is armed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from faust_app.runtime.failpoints import NAMES, Failpoints


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    sent: list[int] = []
    monkeypatch.setattr("faust_app.runtime.failpoints.os.kill", lambda _, number: sent.append(number))
    return sent


@pytest.mark.parametrize("armed", [None, ""])
def test_nothing_armed_does_nothing(kills: list[int], armed: str | None) -> None:
    points = Failpoints(armed, "stage.paper")
    for name in NAMES:
        points.reached(name)
    assert kills == []


def test_worker_is_killed_the_counted_time_and_only_there(kills: list[int], tmp_path: Path) -> None:
    points = Failpoints(f"written:3@{tmp_path}", "stage.paper")
    for _ in range(2):
        points.reached("decided")
        points.reached("written")
    assert kills == []
    points.reached("written")
    assert kills == [signal.SIGKILL]


def test_count_is_one_when_none_is_given(kills: list[int], tmp_path: Path) -> None:
    Failpoints(f"sent@{tmp_path}", "stage.paper").reached("sent")
    assert kills == [signal.SIGKILL]


def test_restarted_worker_goes_on_and_another_worker_is_still_armed(kills: list[int], tmp_path: Path) -> None:
    armed = f"sent:1@{tmp_path}"
    Failpoints(armed, "stage.paper").reached("sent")
    Failpoints(armed, "stage.paper").reached("sent")
    assert len(kills) == 1
    Failpoints(armed, "stage.zerodha").reached("sent")
    assert len(kills) == 2


def test_several_points_are_armed_side_by_side(kills: list[int], tmp_path: Path) -> None:
    points = Failpoints(f"decided:2,sent:1@{tmp_path}", "stage.paper")
    points.reached("sent")
    points.reached("decided")
    assert len(kills) == 1
    points.reached("decided")
    assert len(kills) == 2


def test_folder_may_contain_an_at_sign(kills: list[int], tmp_path: Path) -> None:
    folder = tmp_path / "a@b"
    folder.mkdir()
    Failpoints(f"sent:1@{folder}", "w").reached("sent")
    assert (folder / "w-sent").exists()


@pytest.mark.parametrize("armed", ["written:3", "sent", "sent@", "exploded:1@/tmp", "sent:x@/tmp"])
def test_what_cannot_be_armed_is_refused(armed: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - what the process prints when it refuses to start
        Failpoints(armed, "stage.paper")


def test_kill_is_real(tmp_path: Path) -> None:
    code = (
        "from faust_app.runtime.failpoints import Failpoints\n"
        f"points = Failpoints('written:2@{tmp_path}', 'w')\n"
        "points.reached('written'); print('alive', flush=True)\n"
        "points.reached('written'); print('still alive', flush=True)\n"
    )
    first = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60)
    assert (first.returncode, first.stdout) == (-signal.SIGKILL, b"alive\n")
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60)
    assert (again.returncode, again.stdout) == (0, b"alive\nstill alive\n")
