from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from faust_app.runtime.pages import read_pages
from stack import state as module
from stack.errors import CannotStart
from stack.state import IST, LEAST_FREE_BYTES, StateFolder, is_held, strangers

FRIDAY, MONDAY, WEDNESDAY = date(2026, 11, 20), date(2026, 11, 23), date(2026, 11, 25)  # the 24th is a holiday


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[StateFolder]:
    held = StateFolder(tmp_path / "state")
    held.acquire()
    yield held
    held.release()


def test_folder_is_held_from_acquire_to_release(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    assert not is_held(folder.path)
    folder.acquire()
    assert is_held(folder.path)
    folder.release()
    assert not is_held(folder.path)


def test_second_stack_on_the_same_folder_is_told_who_has_it(folder: StateFolder) -> None:
    with pytest.raises(CannotStart) as refused:
        StateFolder(folder.path).acquire()
    assert str(refused.value) == f"Another stack runs on {folder.path} (process {os.getpid()}): stop it first"


def test_second_stack_leaves_the_running_ones_overlay_alone(folder: StateFolder) -> None:
    folder.write_overlay({"redis": {"port": 7001}})
    with pytest.raises(CannotStart):
        StateFolder(folder.path).acquire()
    assert yaml.safe_load(folder.overlay_file.read_text()) == {"redis": {"port": 7001}}


def test_overlay_of_a_dead_run_is_gone_after_acquire(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.overlay_file.write_text("kafka: {bootstrap: '127.0.0.1:1'}")
    folder.acquire()
    assert not folder.overlay_file.exists()
    folder.release()


def test_overlay_can_be_read_by_its_owner_only_and_goes_at_release(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.acquire()
    folder.write_overlay({"kafka": {"bootstrap": "127.0.0.1:2"}})
    assert folder.overlay_file.stat().st_mode & 0o777 == 0o600
    folder.release()
    assert not folder.overlay_file.exists()


@pytest.mark.parametrize(("free", "starts"), [(LEAST_FREE_BYTES - 1, False), (LEAST_FREE_BYTES, True)])
def test_full_disk_is_refused_with_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, starts: bool
) -> None:
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    folder = StateFolder(tmp_path)
    if starts:
        folder.acquire()
    else:
        with pytest.raises(CannotStart, match=r"^Only 999 MB are free where .* is; the stack needs 1000 MB$"):
            folder.acquire()
    folder.release()


def test_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotStart, match="cannot be used: "):
        StateFolder(tmp_path / "file" / "state").acquire()


HOLD = """
import os, sys, time
from pathlib import Path
from stack.state import StateFolder
folder = StateFolder(Path(sys.argv[1]))
folder.acquire()
os.set_inheritable(folder.lock, True)
if os.fork() == 0:
    print(os.getpid(), flush=True)
    time.sleep(float(sys.argv[2]))
os._exit(0)
"""


def test_acquire_waits_while_a_dead_runs_processes_are_being_ended(tmp_path: Path) -> None:
    """The guardian keeps the lock after the supervisor's death."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path), "1.0"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline()
        child.wait()
        assert is_held(tmp_path)
        began = time.monotonic()
        folder = StateFolder(tmp_path)
        folder.acquire()
        assert time.monotonic() - began > 0.3
        folder.release()


def test_acquire_does_not_wait_forever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENDING_SECONDS", 0.2)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path), "30"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        holder = int(child.stdout.readline())
        child.wait()
        with pytest.raises(CannotStart, match="Another stack runs on"):
            StateFolder(tmp_path).acquire()
        os.kill(holder, signal.SIGKILL)


def test_first_run_is_today_or_the_next_trading_day(folder: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    class Saturday(module.datetime):
        @classmethod
        def now(cls, tz: object = None) -> Saturday:
            return cls(2026, 11, 21, 12, 0, tzinfo=module.IST)

    monkeypatch.setattr(module, "datetime", Saturday)
    assert folder.next_session_date() == MONDAY


def test_later_runs_are_the_trading_day_after_the_last(folder: StateFolder) -> None:
    folder.note_session_date(FRIDAY)
    assert folder.next_session_date() == MONDAY
    folder.note_session_date(MONDAY)
    assert folder.next_session_date() == WEDNESDAY


def test_spoiled_session_file_is_like_none(folder: StateFolder) -> None:
    (folder.path / "session.json").write_text(json.dumps({"session_date": "soon"}))
    assert folder.next_session_date() == module.regular_day_from(datetime.now(IST).date())


def test_pages_are_read_back_in_order_and_gone_after_release(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.acquire()
    assert read_pages(folder.path) == {}
    folder.write_pages({"market_feed": 3, "ledger": 2, "monitor": 1})
    assert [*read_pages(folder.path).items()] == [("market_feed", 3), ("ledger", 2), ("monitor", 1)]
    folder.release()
    assert read_pages(folder.path) == {}


def test_own_files_are_no_strangers(folder: StateFolder) -> None:
    folder.write_overlay({})
    folder.note_session_date(FRIDAY)
    folder.write_pages({})
    for name in ("kafka", "postgres", "redis", "tables", "logs", "run", "prometheus"):
        (folder.path / name).mkdir()
    assert strangers(folder.path) == []
    (folder.path / "thesis.doc").write_text("")
    assert strangers(folder.path) == ["thesis.doc"]


def test_only_one_of_many_gets_the_folder(tmp_path: Path) -> None:
    folders = [StateFolder(tmp_path / "state") for _ in range(8)]
    held: list[StateFolder] = []

    def take(folder: StateFolder) -> None:
        try:
            folder.acquire()
        except CannotStart:
            return
        held.append(folder)

    threads = [threading.Thread(target=take, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 1
    held[0].release()
