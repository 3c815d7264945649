"""Runs a program as root that refuses to run as root: `python -m stack.unprivileged DATA PROGRAM ARGUMENT...`.

In a user namespace of its own the process sees itself as an ordinary user, while the files it makes stay ours. Where
the kernel forbids namespaces (containers, usually) it becomes that user for good, keeps the one capability it needs
to reach DATA wherever that is, and DATA is given to it. Nothing is added to the system: the user is one it knows.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys
from collections.abc import Sequence
from pathlib import Path

# Linux: <sched.h>, <linux/prctl.h>, <linux/capability.h>
CLONE_NEWUSER = 0x10000000
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
PREFERRED_USER = "nobody"


def ordinary_user(users: Sequence[pwd.struct_passwd]) -> pwd.struct_passwd | None:
    """Somebody who is not root: `initdb` wants to know the name of who runs it."""
    others = [user for user in users if user.pw_uid != 0]
    preferred = [user for user in others if user.pw_name == PREFERRED_USER]
    return next(iter(preferred or others), None)


def enter_namespace(user: pwd.struct_passwd) -> None:
    """Be `user` in a new user namespace, ourselves outside. Raises OSError where that is forbidden."""
    own_user, own_group = os.getuid(), os.getgid()
    _call("unshare", CLONE_NEWUSER)
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"{user.pw_uid} {own_user} 1")
    (own / "gid_map").write_text(f"{user.pw_gid} {own_group} 1")


def become(user: pwd.struct_passwd) -> None:
    """Be `user` for good, with the right to reach every file kept over the next program. Raises OSError."""
    _call("prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    kept = 1 << CAP_DAC_OVERRIDE
    sets = (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0)  # effective, permitted, inheritable; then the high words
    _call("capset", header, sets)
    _call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def _call(name: str, *arguments: object) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def give(data: Path, user: int, group: int) -> None:
    """Make everything at `data` the user's; an earlier run may have left it to another."""
    if not data.exists() or data.stat().st_uid == user:
        return
    for folder, _, files in os.walk(data):
        for path in (Path(folder), *(Path(folder, name) for name in files)):
            os.chown(path, user, group, follow_symlinks=False)


def _drop(data: Path) -> None:
    user = ordinary_user(pwd.getpwall())
    if user is None:
        raise OSError("the system knows no other user")
    root, group = os.getuid(), os.getgid()
    if _is_allowed_namespace(user):
        give(data, root, group)
        enter_namespace(user)
    else:
        give(data, user.pw_uid, user.pw_gid)
        become(user)


def _is_allowed_namespace(user: pwd.struct_passwd) -> bool:
    """Tried in a child: half a way into a namespace there is no way back."""
    child = os.fork()
    if child == 0:
        try:
            enter_namespace(user)
        except (OSError, AttributeError):
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def main() -> None:
    """Stop being root and become the program."""
    try:
        _drop(Path(sys.argv[1]))
    except (OSError, AttributeError) as error:
        sys.stderr.write(f"PostgreSQL does not run as root, and this system forbids changing that ({error})\n")
        sys.exit(1)
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - the caller's program, no shell


if __name__ == "__main__":
    main()
