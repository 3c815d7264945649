from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stack import kafka
from stack.errors import CannotStart


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "alpha-panda"


def put_jars(cache: Path) -> list[str]:
    cache.mkdir()
    jars = [cache / "one.jar", cache / "two.jar"]
    for jar in jars:
        jar.write_text("")
    (cache / f"kafka-{kafka.VERSION}.jars").write_text("\n".join(map(str, jars)))
    return [str(jar) for jar in jars]


def test_nothing_is_cached_at_first(cache: Path) -> None:
    assert kafka.cached_jars() == []


def test_cached_jars_are_used_without_a_network(cache: Path) -> None:
    expected = put_jars(cache)
    assert kafka.jars() == expected


def test_cache_with_a_missing_jar_counts_as_empty(cache: Path) -> None:
    put_jars(cache)
    (cache / "two.jar").unlink()
    assert kafka.cached_jars() == []


def test_first_start_without_a_network_is_one_sentence(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    environment = {"HOME": str(tmp_path), "https_proxy": nowhere, "http_proxy": nowhere}
    code = "from stack import kafka; kafka.jars()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr.splitlines()[-1] == (
        f"stack.errors.CannotStart: Kafka {kafka.VERSION} could not be downloaded from Maven Central (ProxyError): "
        "the first start needs a network, later ones do not"
    )


def test_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(CannotStart, match=rf"^Kafka .* could not be put into {tmp_path}/file/alpha-panda \(Not"):
        kafka.jars()


class FakeTool:
    """Stands for the storage tool: notes what it is asked, and may be interrupted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.formatted: list[str] = []
        self.fails = False
        monkeypatch.setattr(kafka.subprocess, "run", self)
        monkeypatch.setattr(kafka, "jars", lambda: ["a.jar"])

    def __call__(self, arguments: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        properties = dict(line.split("=", 1) for line in Path(arguments[-1]).read_text().splitlines() if "=" in line)
        data = Path(properties["log.dirs"])
        self.formatted.append(data.name)
        data.mkdir()
        if self.fails:
            return subprocess.CompletedProcess(arguments, 1, "", "disk\nbroken\n")
        (data / "meta.properties").write_text("cluster.id=abc\n")
        return subprocess.CompletedProcess(arguments, 0, "", "")


def properties(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines() if line)


def test_storage_is_formatted_once_and_ports_follow_every_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = FakeTool(monkeypatch)
    for port in (7000, 8000):
        found = properties(kafka.prepare(tmp_path, port, port + 1))
        assert found["listeners"] == f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{port + 1}"
        assert found["log.dirs"] == str(tmp_path / "data")
    assert len(tool.formatted) == 1
    assert kafka.cluster_id(tmp_path) == "abc"


def test_interrupted_formatting_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = FakeTool(monkeypatch)
    tool.fails = True
    with pytest.raises(CannotStart, match=r"^Kafka's storage could not be formatted: disk\nbroken$"):
        kafka.prepare(tmp_path, 7000, 7001)
    assert not (tmp_path / "data").exists()
    tool.fails = False
    kafka.prepare(tmp_path, 7000, 7001)
    assert (tmp_path / "data" / "meta.properties").exists()


def test_broker_listens_on_loopback_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FakeTool(monkeypatch)
    found = properties(kafka.prepare(tmp_path, 7000, 7001))
    assert {part.split("://")[1].split(":")[0] for part in found["listeners"].split(",")} == {"127.0.0.1"}
    assert found["auto.create.topics.enable"] == "false"
