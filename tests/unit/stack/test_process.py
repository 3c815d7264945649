from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from stack import process as module
from stack.process import Command, Process

DEADLINE = 20.0


def python(code: str, **options: object) -> Command:
    return Command("child", [sys.executable, "-u", "-c", code], **options)  # type: ignore[arg-type]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.01)


def log(folder: Path) -> str:
    return (folder / "child.log").read_text()


async def test_both_outputs_are_in_the_log_and_the_last_lines_at_hand(tmp_path: Path) -> None:
    child = Process(
        python("import sys\nfor n in range(9): print('line', n, file=(sys.stdout, sys.stderr)[n % 2])"), tmp_path
    )
    await child.start()
    assert await child.wait() == 0
    assert log(tmp_path).splitlines() == [f"line {number}" for number in range(9)]
    assert child.last_lines == [f"line {number}" for number in range(3, 9)]
    assert not child.is_running


async def test_complaints_tell_better_than_the_last_lines_why_it_ended(tmp_path: Path) -> None:
    complaint = '{"event": "Error: address in use", "level": "error"}'
    child = Process(python(f"print({complaint!r})\nfor n in range(9): print('stopping', n)"), tmp_path)
    await child.start()
    await child.wait()
    assert child.last_lines == [complaint]


async def test_lines_are_written_down_as_the_command_says(tmp_path: Path) -> None:
    command = python("print('a')\nprint()\nprint('b')", as_written=lambda line: line and f"<{line}>")
    child = Process(command, tmp_path)
    await child.start()
    await child.wait()
    assert log(tmp_path).splitlines() == ["<a>", "<b>"]
    assert child.last_lines == ["a", "", "b"]


async def test_rotation_loses_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG_BYTES", 1000)
    child = Process(python("for n in range(200): print('%015d' % n)"), tmp_path)  # 3,200 bytes: three rotations
    await child.start()
    await child.wait()
    files = [*(tmp_path / f"child.log{number}" for number in (".3", ".2", ".1", ""))]
    assert len(files) == 4
    assert all(file.stat().st_size <= 1000 for file in files)
    assert [int(line) for file in files for line in file.read_text().splitlines()] == [*range(200)]


async def test_a_restart_goes_on_in_the_same_log(tmp_path: Path) -> None:
    for number in range(2):
        child = Process(python(f"print('run {number}')"), tmp_path)
        await child.start()
        await child.wait()
    assert log(tmp_path) == "run 0\nrun 1\n"


async def test_a_percent_sign_and_bad_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    child = Process(python(r"import sys; sys.stdout.buffer.write(b'100%s \xff\n')"), tmp_path)
    await child.start()
    await child.wait()
    assert log(tmp_path) == "100%s \ufffd\n"


async def test_a_line_beyond_the_limit_does_not_stop_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_LINE", 1000)
    child = Process(python("print('x' * 5000); print('after')"), tmp_path)
    await child.start()
    await child.wait()
    assert log(tmp_path).splitlines()[-1] == "after"


async def test_a_taken_line_is_in_no_log(tmp_path: Path) -> None:
    child = Process(python("print('secret'); print('rest')"), tmp_path, on_line=lambda line: line == "secret")
    await child.start()
    await child.wait()
    assert log(tmp_path) == "rest\n"
    assert child.last_lines == ["rest"]


async def test_environment_is_added_to_ours(tmp_path: Path) -> None:
    child = Process(
        python("import os; print(os.environ['COLOUR'], 'PATH' in os.environ)", environment={"COLOUR": "red"}), tmp_path
    )
    await child.start()
    await child.wait()
    assert log(tmp_path) == "red True\n"


async def test_child_has_a_group_of_its_own_so_that_ctrl_c_does_not_reach_it(tmp_path: Path) -> None:
    child = Process(python("import time; time.sleep(60)"), tmp_path)
    await child.start()
    assert os.getpgid(child.pid) == child.pid != os.getpgid(0)
    await child.stop()


async def test_stop_sends_the_commands_own_signal(tmp_path: Path) -> None:
    code = "import signal, sys, time\nsignal.signal(signal.SIGINT, lambda *_: sys.exit(7))\nprint('up')\ntime.sleep(60)"
    child = Process(python(code, stop_signal=signal.SIGINT), tmp_path)
    await child.start()
    await until(lambda: child.last_lines)
    assert await child.stop() == 7


STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(grandchild.pid)
time.sleep(60)
"""


async def test_what_ignores_the_signal_is_killed_with_its_children_after_the_grace_time(tmp_path: Path) -> None:
    child = Process(python(STUBBORN, grace_seconds=0.2), tmp_path)
    await child.start()
    await until(lambda: child.last_lines)
    grandchild = int(child.last_lines[0])
    async with asyncio.timeout(DEADLINE):
        assert await child.stop() == -signal.SIGKILL
    await until(lambda: not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == "zombie")


async def test_stop_before_start_and_after_the_end_does_nothing(tmp_path: Path) -> None:
    child = Process(python("raise SystemExit(3)"), tmp_path)
    assert await child.stop() == 0
    await child.start()
    assert await child.wait() == 3
    assert await child.stop() == 3


async def test_program_that_does_not_exist_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await Process(Command("child", [str(tmp_path / "nothing")]), tmp_path).start()
