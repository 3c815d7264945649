from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from stack import unprivileged
from stack.unprivileged import give, ordinary_user

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


def user(name: str, number: int) -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", number, number, "", "/", "/bin/false"))


def test_nobody_is_preferred_and_root_never_taken() -> None:
    root, nobody, daemon = user("root", 0), user("nobody", 65534), user("daemon", 1)
    assert ordinary_user([root, daemon, nobody]) == nobody
    assert ordinary_user([root, daemon]) == daemon
    assert ordinary_user([root, user("toor", 0)]) is None


def run(code: str, data: Path) -> list[str]:
    """What a program sees that was started through `unprivileged`: user name, and a file it writes into `data`."""
    program = "import os, pwd, sys; print(os.geteuid(), pwd.getpwuid(os.geteuid()).pw_name); open(sys.argv[1], 'w')"
    done = subprocess.run(
        [sys.executable, "-c", code, str(data), sys.executable, "-c", program, str(data / "file")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split()


WITH_NAMESPACE = "from stack import unprivileged as u; u.main()"
WITHOUT_NAMESPACE = "from stack import unprivileged as u; u._is_allowed_namespace = lambda user: False; u.main()"


def folder(tmp_path: Path) -> Path:
    """A data folder below one that only root can enter."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    data = private / "data"
    data.mkdir(mode=0o700)
    (data / "old").write_text("")
    return data


@as_root
@pytest.mark.skipif(
    os.geteuid() != 0 or not unprivileged._is_allowed_namespace(pwd.getpwnam("nobody")),
    reason="the kernel forbids user namespaces",
)
def test_in_a_namespace_the_program_is_not_root_and_its_files_are_ours(tmp_path: Path) -> None:
    data = folder(tmp_path)
    number, name = run(WITH_NAMESPACE, data)
    assert (int(number), name) == (pwd.getpwnam("nobody").pw_uid, "nobody")
    assert {path.stat().st_uid for path in (data, *data.iterdir())} == {0}
    assert (data / "file").exists()


@as_root
def test_without_namespaces_the_program_owns_the_data_wherever_it_is(tmp_path: Path) -> None:
    data = folder(tmp_path)
    nobody = pwd.getpwnam("nobody").pw_uid
    number, name = run(WITHOUT_NAMESPACE, data)
    assert (int(number), name) == (nobody, "nobody")
    assert {path.stat().st_uid for path in (data, data / "old", data / "file")} == {nobody}
    assert data.parent.stat().st_uid == 0


@as_root
def test_data_can_go_from_one_way_to_the_other(tmp_path: Path) -> None:
    data = folder(tmp_path)
    run(WITHOUT_NAMESPACE, data)
    run(WITH_NAMESPACE, data)
    run(WITHOUT_NAMESPACE, data)
    assert (data / "file").exists()


@as_root
def test_links_are_given_not_followed(tmp_path: Path) -> None:
    data = folder(tmp_path)
    outside = tmp_path / "outside"
    outside.write_text("")
    (data / "link").symlink_to(outside)
    give(data, 65534, 65534)
    assert outside.stat().st_uid == 0
    assert (data / "link").lstat().st_uid == 65534


def test_absent_data_is_nothing_to_give(tmp_path: Path) -> None:
    give(tmp_path / "absent", 1, 1)


def test_forbidden_change_is_one_sentence(tmp_path: Path) -> None:
    code = (
        "from stack import unprivileged as u\n"
        "def refuse(*_): raise OSError(1, 'Operation not permitted')\n"
        "u._drop = refuse\nu.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), "/bin/true"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "PostgreSQL does not run as root, and this system forbids changing that ([Errno 1] Operation not permitted)"
    ]
