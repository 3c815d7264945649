"""What the local stack needs, checked one by one."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from faust_app.runtime.settings import Settings
from stack import kafka, ports, postgres, programs, redis
from stack.errors import CannotStart
from stack.infrastructure import configured_ports
from stack.state import LEAST_FREE_BYTES, is_held

Row = dict[str, str]
OLDEST = (3, 11)


def check_all(settings: Settings) -> list[Row]:
    """Rows of check, result (`ok`, `warn`, `fail`) and detail."""
    state = settings.stack.state_directory.absolute()
    return [
        _python(),
        _attempt("java", _java),
        _jars(),
        _attempt("postgresql", lambda: _version([str(postgres.binaries() / "postgres"), "--version"])),
        _attempt("redis", lambda: _version([str(redis.binary()), "--version"])),
        *(_optional(program) for program in programs.PACKAGES),
        _disk(state),
        _state(state),
        *_ports(settings),
    ]


def _row(check: str, result: str, detail: str) -> Row:
    return {"check": check, "result": result, "detail": detail}


def _python() -> Row:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= OLDEST
    return _row("python", "ok" if good else "fail", version if good else f"{version}: 3.11 or newer is needed")


def _attempt(check: str, work: Callable[[], str]) -> Row:
    try:
        return _row(check, "ok", work())
    except (CannotStart, OSError, subprocess.SubprocessError) as error:
        return _row(check, "fail", str(error))


def _optional(program: str) -> Row:
    """What only `up --observe` uses."""
    found = programs.find(program)
    if found is None:
        return _row(program, "warn", f"{programs.how_to_install(program)} (for `alpha-panda up --observe`)")
    return _attempt(program, lambda: _version([str(found), "--version"]))


def _java() -> str:
    return _version([kafka.java(), "-version"])


def _version(arguments: list[str]) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=20, check=True)
    return (done.stdout or done.stderr).splitlines()[0]


def _jars() -> Row:
    found = kafka.cached_jars()
    if found:
        return _row("kafka", "ok", f"{kafka.VERSION}, {len(found)} jars cached")
    return _row("kafka", "warn", f"{kafka.VERSION} is not downloaded yet: the next start needs a network (43 MB)")


def _existing(state: Path) -> Path:
    """The state folder, or where it would be made."""
    return next(folder for folder in (state, *state.parents) if folder.exists())


def _disk(state: Path) -> Row:
    free = shutil.disk_usage(_existing(state)).free
    detail = f"{free // 1_000_000:,} MB free"
    if free < LEAST_FREE_BYTES:
        return _row("disk", "fail", f"{detail}; {LEAST_FREE_BYTES // 1_000_000:,} MB are needed")
    return _row("disk", "ok", detail)


def _state(state: Path) -> Row:
    if is_held(state):
        return _row("state folder", "ok", f"{state} is in use by a running stack")
    try:
        tempfile.TemporaryFile(dir=_existing(state)).close()
    except OSError as error:
        return _row("state folder", "fail", f"{state} cannot be written: {error.strerror}")
    return _row("state folder", "ok", f"{state} can be written")


def _ports(settings: Settings) -> Iterator[Row]:
    if is_held(settings.stack.state_directory.absolute()):
        return
    stack, defaults = settings.stack, type(settings.stack).model_fields
    own = [
        (name, getattr(stack, f"{name}_port"), defaults[f"{name}_port"].default)
        for name in ("sandbox", *programs.PACKAGES)
    ]
    for name, port, default in (*configured_ports(settings), *own):
        if ports.is_free(port):
            yield _row(f"{name} port", "ok", f"{port} is free")
        elif port == default:
            yield _row(f"{name} port", "warn", f"{port} is taken; another is chosen")
        else:
            yield _row(f"{name} port", "fail", f"{port} is taken: free it or configure another one")
