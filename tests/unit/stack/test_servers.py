"""PostgreSQL's and Redis' files: what the servers themselves do with them is tested on the real ones."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import psutil
import pytest

from stack import postgres, redis
from stack.errors import CannotStart


@pytest.mark.parametrize("server", [postgres, redis])
def test_password_is_generated_once_and_private(server: object, tmp_path: Path) -> None:
    make = server.password_file  # type: ignore[attr-defined]
    file = make(tmp_path / "one")
    first = file.read_text()
    assert len(first) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert make(tmp_path / "one").read_text() == first
    assert make(tmp_path / "two").read_text() != first


def test_redis_password_is_in_a_private_file_and_not_among_the_arguments(tmp_path: Path) -> None:
    file = redis.prepare(tmp_path, 7000)
    password = redis.password_file(tmp_path).read_text()
    assert f"requirepass {password}" in file.read_text().splitlines()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not any(password in argument for argument in redis.command(file).arguments)


def test_redis_listens_on_loopback_and_keeps_every_write(tmp_path: Path) -> None:
    lines = redis.prepare(tmp_path, 7000).read_text().splitlines()
    assert {"bind 127.0.0.1", "port 7000", "appendonly yes"} <= {*lines}


def test_redis_port_follows_every_start(tmp_path: Path) -> None:
    redis.prepare(tmp_path, 7000)
    assert "port 8000" in redis.prepare(tmp_path, 8000).read_text().splitlines()


def cluster(folder: Path, lock: str | None) -> Path:
    data = folder / "data"
    data.mkdir()
    if lock is not None:
        (data / "postmaster.pid").write_text(lock)
    return data


@pytest.mark.parametrize(
    "lock",
    [None, "", "no number\n", f"{2**22 + 1}\n/data\n", f"{os.getpid()}\n/data\n"],
    ids=["none", "empty", "no number", "no process", "another process"],
)
def test_lock_of_a_dead_postgresql_is_removed(tmp_path: Path, lock: str | None) -> None:
    """Also when its process id now belongs to somebody else, us for example."""
    data = cluster(tmp_path, lock)
    assert postgres.prepare(tmp_path) == data
    assert not (data / "postmaster.pid").exists()


def test_running_postgresql_on_the_data_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = cluster(tmp_path, f"{os.getpid()}\n")
    monkeypatch.setattr(psutil.Process, "name", lambda _: "postgres")
    with pytest.raises(CannotStart, match=rf"^PostgreSQL still runs on {data} \(process {os.getpid()}\): end it first"):
        postgres.prepare(tmp_path)
    assert (data / "postmaster.pid").exists()


def test_interrupted_creation_of_the_cluster_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half = tmp_path / "data.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    created: list[bool] = []

    def create(data: Path, _: Path) -> None:
        created.append(data.exists())
        data.mkdir()

    monkeypatch.setattr(postgres, "_create", create)
    assert postgres.prepare(tmp_path) == tmp_path / "data"
    assert created == [False]
    assert not (tmp_path / "data" / "PG_VERSION").exists()


def test_postgresql_password_is_not_among_the_arguments(tmp_path: Path) -> None:
    password = postgres.password_file(tmp_path).read_text()
    arguments = postgres.command(tmp_path / "data", 7000).arguments
    assert not any(password in argument for argument in arguments)
    assert "listen_addresses=127.0.0.1" in arguments
