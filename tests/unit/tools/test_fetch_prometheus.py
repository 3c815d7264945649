"""`make tools` never fails: it says what is missing and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import fetch_prometheus as module

APT = """#!/bin/sh
echo "$@" >> {log}
touch prometheus.deb prometheus-alertmanager.deb
"""
DPKG = """#!/bin/sh
mkdir -p "$3/usr/bin" && for name in prometheus promtool prometheus-alertmanager amtool; do
  echo > "$3/usr/bin/$name"; done
"""
REFUSING = "#!/bin/sh\necho 'E: Unable to locate package prometheus' >&2\nexit 100\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of which only the shell is known; the folder of its programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "touch", "mkdir"):
        (folder / name).symlink_to(Path("/bin") / name)
    monkeypatch.setattr(module, "PROJECT", tmp_path)
    monkeypatch.setattr(module, "TOOLS", tmp_path / ".tools")
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)


def test_packages_are_unpacked_once(machine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "calls"
    install(machine, "apt-get", APT.format(log=log))
    install(machine, "dpkg", DPKG)
    module.main()
    module.main()
    assert capsys.readouterr().out == "Unpacking prometheus and prometheus-alertmanager into .tools ...\n"
    assert log.read_text().splitlines() == [" ".join([*module.QUICK, "download", *module.PACKAGES])]
    assert sorted(one.name for one in (tmp_path / ".tools/usr/bin").iterdir()) == sorted(module.PROGRAMS)
    assert not (tmp_path / ".tools/packages").exists()


def test_a_system_without_apt_is_told_so(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module.main()
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("Without prometheus, promtool, prometheus-alertmanager, amtool: this system has no apt-get")
    assert said.endswith("without them their tests are skipped")


def test_a_refusal_is_passed_on(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(machine, "apt-get", REFUSING)
    install(machine, "dpkg", DPKG)
    module.main()
    assert "apt-get: E: Unable to locate package prometheus; " in capsys.readouterr().out


def test_a_machine_that_has_them_is_left_alone(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in module.PROGRAMS:
        install(machine, name, DPKG)
    module.main()
    assert capsys.readouterr().out == ""
